//! Servers and resolvers that mean harm to whoever measures them: too much, too slow, or malformed.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a hostile server does to its guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostility {
    /// Header lines that never end.
    EndlessHead,
    /// A body of ten gigabytes.
    EndlessBody,
    /// A body that is a thousand times as large unpacked.
    GzipBomb,
    /// A redirect to itself.
    RedirectLoop,
    /// One byte a second, after the handshake where there is one.
    Drip,
    /// One byte a second in place of any handshake.
    DripHello,
    /// Records that are none, after the first that is one.
    MalformedRecords,
    /// NUL, ANSI sequences and other controls in every text field.
    ControlCharacters,
}

/// What a hostile resolver does to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malice {
    /// Names that point at themselves.
    CompressionLoop,
    /// As many answers as it can, for one query.
    Flood,
    /// Random bytes.
    Noise,
    /// Control characters in names and texts.
    ControlCharacters,
    /// As many records as a message can hold.
    Fat,
}

/// Header and body with what a terminal must never see.
const CONTROLS: &[u8] = b"HTTP/1.1 200 \x1b[31mOK\x07\r\nServer: a\x1b]0;title\x07b\r\nX-\x7fEvil: \x00\x01\x02\x9b31m\r\n\
    Location: http://\x1b[2J.example/\r\nContent-Type: text/html\r\nContent-Length: 96\r\n\r\n\
    <html><head><title>\x1b[31mplist\x00\x07\xff\xfe</title></head><body>\x1b[2J\x1b]52;c;AAAA\x07\x00\xc2\x9b31m</body></html>";

/// The head before an endless body.
const ENDLESS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10737418240\r\n\r\n";

/// The beginning of an answer in HTTP, and of one in TLS.
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nX-Slow: ";
/// See above.
pub const SERVER_HELLO: &[u8] = &[0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3];

/// Answers a connection, from the first byte on or inside TLS.
pub async fn serve<S>(hostility: Hostility, mut stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = [0; 1024];
    if hostility != Hostility::DripHello && stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    match hostility {
        Hostility::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            let line = [b"X-More: ".as_slice(), &[b'a'; 1000], b"\r\n"].concat();
            loop {
                stream.write_all(&line).await?;
            }
        }
        Hostility::EndlessBody => {
            stream.write_all(ENDLESS).await?;
            loop {
                stream.write_all(&[b'a'; 4096]).await?;
            }
        }
        Hostility::GzipBomb => {
            let bomb = bomb()?;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                bomb.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&bomb).await?;
            stream.shutdown().await
        }
        Hostility::RedirectLoop => {
            let away = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
            while stream.write_all(away).await.is_ok() {
                if stream.read(&mut request).await? == 0 {
                    break;
                }
            }
            Ok(())
        }
        Hostility::Drip => drip(stream, ANSWER).await,
        Hostility::DripHello => drip(stream, SERVER_HELLO).await,
        Hostility::MalformedRecords => {
            let alert = [0x15, 3, 3, 0, 2, 1, 0xff];
            stream.write_all(&alert).await?;
            stream
                .write_all(&[0x16, 3, 3, 0xff, 0xff, 2, 0xff, 0xff, 0xff])
                .await?;
            stream.write_all(&[0xff; 2048]).await?;
            stream.shutdown().await
        }
        Hostility::ControlCharacters => {
            stream.write_all(CONTROLS).await?;
            stream.shutdown().await
        }
    }
}

/// One byte a second: what there is, and then the same letter.
pub async fn drip<S: AsyncWrite + Unpin>(mut stream: S, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes.iter().chain(std::iter::repeat(&b'a')) {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Sixty-four megabytes of nothing, packed.
fn bomb() -> io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![0; 1 << 20])?;
    }
    packed.finish()
}

/// The messages a hostile resolver sends for one query.
pub fn replies(malice: Malice, query: &[u8]) -> Vec<Vec<u8>> {
    let Some(question) = query.get(12..) else {
        return Vec::new();
    };
    // The query with its flags turned into an answer's, and these counts of records.
    let head = |answers: u16| {
        let mut head = query[..12].to_vec();
        head[2] = 0x81;
        head[3] = 0x80;
        head[6..8].copy_from_slice(&answers.to_be_bytes());
        head[8..12].fill(0);
        head
    };
    // Without the client's OPT record, whose place a record takes.
    let end = question
        .iter()
        .position(|it| *it == 0)
        .map_or(question.len(), |end| (end + 5).min(question.len()));
    let with = |answers: u16, records: &[u8]| [&head(answers), &question[..end], records].concat();
    let address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 64, 0, 1];
    match malice {
        Malice::CompressionLoop => {
            let at = u16::try_from(12 + end).unwrap_or(0) | 0xc000;
            let record = [
                &at.to_be_bytes()[..],
                &[0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12],
            ]
            .concat();
            vec![with(1, &record)]
        }
        Malice::Flood => (0..200_u8)
            .map(|last| {
                let mut record = address;
                record[15] = last;
                with(1, &record)
            })
            .collect(),
        Malice::Noise => (0..4)
            .map(|round| query.iter().map(|it| it.wrapping_mul(31) ^ round).collect())
            .collect(),
        Malice::ControlCharacters => {
            // An alias with an escape sequence in its name, and a text with more of them.
            let alias =
                b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x0a\x04\x1b[2J\x03\x00\x07\x9b\x00";
            let text = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x08\x07\x1b]0;a\x07\x00";
            vec![with(2, &[&alias[..], &text[..]].concat())]
        }
        Malice::Fat => vec![with(3500, &address.repeat(3500))],
    }
}
