//! Places are for connections that talk: one that hears nothing gives its place to the next and goes on waiting.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Addresses remembered before those without anybody in place are forgotten.
const REMEMBERED: usize = 1024;

/// Places at every address, and those of the whole run.
pub struct Places {
    each: usize,
    run: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

impl Places {
    /// `each` places at every address, taken from those of the whole run.
    pub fn new(each: usize, run: Arc<Semaphore>) -> Self {
        Self {
            each,
            run,
            addresses: Mutex::default(),
        }
    }

    /// Waits for a place at this address.
    pub async fn at(&self, address: IpAddr) -> Place {
        let place = Place {
            address: self.address(address),
            run: Arc::clone(&self.run),
            held: Mutex::default(),
        };
        place.take().await;
        place
    }

    fn address(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= REMEMBERED {
            addresses.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = addresses
            .entry(address)
            .or_insert_with(|| Arc::new(Semaphore::new(self.each)));
        Arc::clone(places)
    }
}

/// One place, held or given away for the time being.
pub struct Place {
    address: Arc<Semaphore>,
    run: Arc<Semaphore>,
    held: Mutex<Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>>,
}

impl Place {
    /// Waits for a place again, if it was given away.
    pub async fn take(&self) {
        if self.is_held() {
            return;
        }
        // The address first: whoever waits for a busy address must not hold up the rest of the run. The semaphores
        // are never closed, so an error cannot be; a check without a permit would still be right, only early.
        let address = Arc::clone(&self.address).acquire_owned().await;
        let run = Arc::clone(&self.run).acquire_owned().await;
        if let (Ok(address), Ok(run)) = (address, run) {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, run));
        }
    }

    /// Gives the place to the next one.
    pub fn give_up(&self) {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Runs the future; once `heard` has not grown for as long as `patience`, the place is given up and the future
    /// goes on without it.
    pub async fn patiently<F: Future>(
        &self,
        patience: Duration,
        heard: impl Fn() -> u64,
        future: F,
    ) -> F::Output {
        let mut future = pin!(future);
        let mut before = heard();
        loop {
            match tokio::time::timeout(patience, future.as_mut()).await {
                Ok(output) => return output,
                Err(_) if heard() > before => before = heard(),
                Err(_) => break,
            }
        }
        self.give_up();
        future.await
    }

    fn is_held(&self) -> bool {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::Ipv4Addr;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_silent_connection_gives_its_place_to_the_next() {
        let places = Places::new(1, Arc::new(Semaphore::new(9)));
        let first = places.at(ADDRESS).await;
        let silent = first.patiently(Duration::from_millis(1), || 0, pending::<()>());
        let next = places.at(ADDRESS);
        tokio::select! {
            () = silent => unreachable!("it never ends"),
            second = next => assert!(second.is_held() && !first.is_held()),
        }
    }

    #[tokio::test]
    async fn a_talking_connection_keeps_its_place() {
        let places = Places::new(1, Arc::new(Semaphore::new(9)));
        let first = places.at(ADDRESS).await;
        let heard = std::cell::Cell::new(0);
        let counting = || {
            heard.set(heard.get() + 1);
            heard.get()
        };
        let work = tokio::time::sleep(Duration::from_millis(20));
        first
            .patiently(Duration::from_millis(1), counting, work)
            .await;
        assert!(first.is_held());
    }

    #[tokio::test]
    async fn addresses_nobody_is_at_are_forgotten() {
        let places = Places::new(1, Arc::new(Semaphore::new(9)));
        for number in 0..3000_u32 {
            drop(places.at(IpAddr::V4(Ipv4Addr::from_bits(number))).await);
        }
        assert!(places.addresses.lock().unwrap().len() <= REMEMBERED);
    }
}
