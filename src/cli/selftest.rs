//! `blockprobe selftest`: simulate every kind of blocking the lab knows on this machine, and check that each is detected.

mod differences;
mod pace;
mod players;

use std::fs;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use crate::cli::arguments::{SelftestArguments, SelftestFormat};
use crate::cli::selftest::pace::Pace;
use crate::cli::selftest::players::{Played, play_all, play_alone, serve};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, run, tell};
use crate::lab::scenarios::Scenario;
use crate::lab::{self};
use crate::output::destination::Destination;
use crate::output::destination::Packing;
use crate::output::selftest::{self as told, Ending, Play, Selftest, junit};
use crate::session::rehearsal;

/// Plays the scenarios; exit status 1 if one came out otherwise than expected, twice.
///
/// # Errors
/// Of usage and output, and where this machine allows too few open files.
pub fn run(arguments: &SelftestArguments) -> Result<u8, Trouble> {
    if arguments.list {
        return list();
    }
    let save = arguments.save.as_deref();
    if arguments.child {
        return serve(save);
    }
    run::enough_files(rehearsal::DESCRIPTORS)?;
    let scenarios = chosen(&arguments.scenarios)?;
    let format = format(arguments)?;
    let file = arguments.output.as_deref().map(opened).transpose()?;
    if let Some(directory) = save {
        fs::create_dir_all(directory).map_err(|error| {
            Trouble::new(format!("cannot make {}: {error}", directory.display()))
                .hint("give --save a directory that is yours, or one that is not there yet")
        })?;
    }
    let voice = Voice {
        quiet: arguments.quiet,
        // What a program reads on standard output is the document alone.
        aside: format != SelftestFormat::Human && file.is_none(),
    };
    let selftest = play(
        &scenarios,
        save,
        Pace::of_this_machine(arguments.jobs),
        voice,
    )?;
    voice.say(&selftest.counts())?;
    let document = match format {
        // Without a file people have read it all by now.
        SelftestFormat::Human if file.is_none() => String::new(),
        SelftestFormat::Human => selftest.to_text(),
        SelftestFormat::Json => selftest.to_json().map_err(Trouble::new)?,
        SelftestFormat::Junit => junit::document(&selftest),
    };
    if let Some(mut file) = file {
        file.write(document.into_bytes())?;
        file.finish()?;
    } else {
        tell::print(document.as_bytes())?;
    }
    Ok(u8::from(selftest.failed > 0))
}

/// Where the lines for people go while scenarios are played.
#[derive(Clone, Copy)]
struct Voice {
    quiet: bool,
    aside: bool,
}

impl Voice {
    /// A line that is there in any case.
    fn say(self, line: &str) -> Result<(), Trouble> {
        if self.aside {
            anstream::eprint!("{line}");
            return Ok(());
        }
        tell::print(line.as_bytes())
    }

    /// A line about a scenario: with `-q` only of those that came out otherwise.
    fn progress(self, play: &Play) -> Result<(), Trouble> {
        if self.quiet && play.ending == Ending::Ok {
            return Ok(());
        }
        self.say(&told::line(play))
    }
}

/// Plays all of them, and those that came out otherwise once more when all others are done: alone, for what starves misses the
/// answers that it is there to hear.
fn play(
    scenarios: &[&'static Scenario],
    save: Option<&Path>,
    pace: Pace,
    voice: Voice,
) -> Result<Selftest, Trouble> {
    let (began, started_at) = (Instant::now(), Timestamp::now().to_string());
    let mut plays = Vec::new();
    let mut again = Vec::new();
    let results = play_all(scenarios, save, pace);
    for (scenario, result) in scenarios.iter().zip(results) {
        // A scenario whose thread is gone was not played: that is a difference like any other.
        let played = result
            .recv()
            .unwrap_or_else(|_| Played::not("it broke off"));
        if played.differences.is_empty() {
            plays.push(ended(scenario, Ending::Ok, played));
            voice.progress(&plays[plays.len() - 1])?;
            continue;
        }
        if !voice.quiet {
            let Played { differences, took } = &played;
            voice.say(&told::first_time(scenario.name, *took, differences))?;
        }
        again.push((plays.len(), *scenario));
        plays.push(ended(scenario, Ending::Failed, played));
    }
    for (at, scenario) in again {
        let played = play_alone(scenario, save);
        if played.differences.is_empty() {
            // What it differed in at first stays, for whoever wants to know.
            plays[at].ending = Ending::OkAlone;
            plays[at].took_s = played.took;
        } else {
            plays[at] = ended(scenario, Ending::Failed, played);
        }
        voice.progress(&plays[at])?;
    }
    let duration_s = began.elapsed().as_secs_f64();
    Ok(Selftest::new(started_at, duration_s, pace.at_once, plays))
}

fn ended(scenario: &Scenario, ending: Ending, played: Played) -> Play {
    Play {
        scenario: scenario.name.to_owned(),
        about: scenario.about.to_owned(),
        ending,
        took_s: played.took,
        differences: played.differences,
    }
}

/// The format that is meant: by the flag, or else by the file's name.
fn format(arguments: &SelftestArguments) -> Result<SelftestFormat, Trouble> {
    let suffix = arguments.output.as_deref().map(|path| {
        let suffix = path.extension().and_then(|it| it.to_str());
        suffix.unwrap_or_default().to_lowercase()
    });
    match (arguments.format, suffix.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("json")) => Ok(SelftestFormat::Json),
        (None, Some("xml")) => Ok(SelftestFormat::Junit),
        (None, Some("txt") | None) => Ok(SelftestFormat::Human),
        (None, Some(_)) => Err(Trouble::new("the file's name does not say its format")
            .hint("end it in .json, .xml (JUnit) or .txt, or say -f json, junit or human")),
    }
}

fn opened(path: &Path) -> Result<Destination, Trouble> {
    Destination::whole(path, Packing::Plain).map_err(|error| {
        Trouble::new(format!("cannot write {}: {error}", path.display()))
            .hint("nothing was played yet; give -o a file in a directory that exists and is yours")
    })
}

fn list() -> Result<u8, Trouble> {
    let lines = lab::scenarios()
        .iter()
        .map(|scenario| format!("{:<30}  {}\n", scenario.name, scenario.about));
    tell::print(lines.collect::<String>().as_bytes())?;
    Ok(0)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, Trouble> {
    if names.is_empty() {
        return Ok(lab::scenarios().iter().collect());
    }
    names.iter().map(|name| pick::scenario(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_censor_of_the_lab_is_aimed_at_somebody() {
        let catalog = crate::catalog::embedded();
        for scenario in lab::scenarios() {
            for censor in scenario.censors {
                let aimed = censor.names.endpoints(&catalog);
                assert!(!aimed.is_empty(), "{}", scenario.name);
            }
        }
    }
}
