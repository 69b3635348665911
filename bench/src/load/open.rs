//! Open loop: requests start at Poisson-distributed times of a fixed rate, whatever the answers do.
//!
//! Latency counts from the *intended* start, so a request that had to wait for a free caller carries its wait.
//! Start times come from one schedule; a free caller takes the next one and sleeps on its own timerfd, because
//! the runtime's timer is too coarse (1 ms) for answers that take 0.1 ms.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use parking_lot::Mutex;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use super::caller::Caller;
use super::closed::Pool;
use super::{Outcome, PATIENCE, new_histogram};

/// Starts `rate` requests per second for `duration` over the callers of `pool`.
pub(crate) async fn run(pool: &mut Pool, rate: f64, duration: Duration) -> Outcome {
    let mut outcome = Outcome::default();
    let callers = pool.take(&mut outcome).await;
    let start = Instant::now();
    let schedule = Arc::new(Mutex::new(Schedule {
        rate,
        next: start,
        until: start + duration,
    }));
    let mut workers = JoinSet::new();
    for caller in callers {
        workers.spawn(work(caller, Arc::clone(&schedule)));
    }
    let finish = async {
        while let Some(joined) = workers.join_next().await {
            match joined {
                Ok((caller, part)) => {
                    outcome.add(&part);
                    if let Some(caller) = caller {
                        pool.put_back(caller);
                    }
                }
                Err(error) => outcome.fail(&error),
            }
        }
    };
    if tokio::time::timeout(duration + PATIENCE, finish)
        .await
        .is_err()
    {
        outcome.fail(&"a call was never answered");
    }
    outcome.elapsed = start.elapsed();
    outcome
}

struct Schedule {
    rate: f64,
    next: Instant,
    until: Instant,
}

impl Schedule {
    /// The next intended start, unless the run is over.
    fn take(&mut self) -> Option<Instant> {
        let start = self.next;
        // The gap of a Poisson process is exponential; 1 - f64() is never zero.
        let gap = -(1.0 - fastrand::f64()).ln() / self.rate;
        self.next += Duration::from_secs_f64(gap);
        (start < self.until).then_some(start)
    }
}

async fn work(mut caller: Caller, schedule: Arc<Mutex<Schedule>>) -> (Option<Caller>, Outcome) {
    let mut outcome = Outcome {
        latency: new_histogram(),
        ..Outcome::default()
    };
    let timer = match Timer::new() {
        Ok(timer) => timer,
        Err(error) => {
            outcome.fail(&error);
            return (Some(caller), outcome);
        }
    };
    let reopened = caller.reopened();
    loop {
        let intended = schedule.lock().take();
        let Some(intended) = intended else { break };
        let result = match timer.sleep_until(intended).await {
            Ok(()) => caller.call().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = result {
            outcome.fail(&error);
            return (None, outcome);
        }
        outcome.count(intended.elapsed());
    }
    outcome.reopened = caller.reopened() - reopened;
    (Some(caller), outcome)
}

/// A sleep with the kernel's high-resolution timer.
struct Timer(AsyncFd<Descriptor>);

/// `TimerFd` as something the reactor accepts.
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    fn new() -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        #[expect(
            deprecated,
            reason = "the successor is unsafe; this descriptor is owned and never changes"
        )]
        let timer = AsyncFd::new(Descriptor(timer))?;
        Ok(Self(timer))
    }

    async fn sleep_until(&self, deadline: Instant) -> io::Result<()> {
        let wait = deadline.saturating_duration_since(Instant::now());
        // A zero value would disarm the timer.
        if wait.is_zero() {
            return Ok(());
        }
        self.0.get_ref().0.set(
            Expiration::OneShot(TimeSpec::from_duration(wait)),
            TimerSetTimeFlags::empty(),
        )?;
        let mut ready = self.0.readable().await?;
        ready.clear_ready();
        match self.0.get_ref().0.wait() {
            Ok(()) | Err(nix::errno::Errno::EAGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_keeps_its_rate_and_ends() {
        let start = Instant::now();
        let mut schedule = Schedule {
            rate: 10_000.0,
            next: start,
            until: start + Duration::from_secs(2),
        };
        let starts: Vec<_> = std::iter::from_fn(|| schedule.take()).collect();
        // 20,000 expected; six standard deviations are below 900.
        assert!((19_000..21_000).contains(&starts.len()), "{}", starts.len());
        assert!(starts.is_sorted());
        assert_eq!(schedule.take(), None);
    }
}
