//! The life of a site: every task of its servers is bounded in time and ends with it.

use std::future::Future;
use std::time::Duration;

use hyper::rt::Executor;
use tokio_util::sync::CancellationToken;

/// Longest life of one connection: above every deadline of the product, so that it never meets ours.
const LONGEST_CONNECTION: Duration = Duration::from_secs(60);

/// Spawns the tasks of a site's servers.
#[derive(Clone, Debug, Default)]
pub struct Life {
    end: CancellationToken,
}

impl Life {
    /// A task that serves one peer.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.spawn_for_ever(async move {
            drop(tokio::time::timeout(LONGEST_CONNECTION, task).await);
        });
    }

    /// A task that lives as long as the site.
    pub fn spawn_for_ever<F>(&self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let end = self.end.clone();
        tokio::spawn(async move {
            drop(end.run_until_cancelled_owned(task).await);
        });
    }

    /// Ends every task.
    pub fn end(&self) {
        self.end.cancel();
    }
}

impl<F> Executor<F> for Life
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
