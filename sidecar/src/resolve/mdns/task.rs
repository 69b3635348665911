//! The task that announces, answers, asks and listens.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::Shared;
use super::cache::Arrival;
use super::interfaces::{Interfaces, Watch};
use super::packets::{LARGEST, Message, Packet, Query, Record};
use super::service::Service;
use super::socket::{Links, Reach, Received};
use crate::resolve::cache::Change;

const SCOPE: &str = "dapr.contrib";

/// Probes are up to this far apart, so that sidecars started together do not
/// all speak at once.
const PROBE_SPREAD: Duration = Duration::from_millis(250);
/// Pause between the two announcements (RFC 6762 §8.3), and the least one
/// between those that set a false goodbye right.
const ANNOUNCE_PAUSE: Duration = Duration::from_secs(1);
/// Changes of interfaces come in groups.
const SETTLE: Duration = Duration::from_millis(250);
/// How often interfaces are read where nobody tells of their changes, or
/// where none is usable for a reason that nobody tells of.
const POLL: Duration = Duration::from_secs(30);
/// Answers sent at most in a window of time, whoever asks. It is short, so
/// that those who ask again after a flood are answered.
const MOST_ANSWERS: u32 = 50;
const ANSWER_WINDOW: Duration = Duration::from_millis(250);

/// Whom to tell about an entry that was withdrawn.
pub(super) type Farewell = oneshot::Receiver<oneshot::Sender<()>>;

/// What the task starts with.
pub(super) struct Parts {
    /// Our entry, if there can be one.
    pub(super) service: Option<Service>,
    pub(super) shared: Arc<Shared>,
    /// What changed in the cache.
    pub(super) news: mpsc::Sender<Change>,
    pub(super) farewell: Farewell,
    /// What else finds apps, or how to go on without.
    pub(super) advice: &'static str,
}

pub(super) struct Task {
    /// Our entry, while it is there for others.
    service: Option<Service>,
    shared: Arc<Shared>,
    news: mpsc::Sender<Change>,
    /// Until it was asked for.
    farewell: Option<Farewell>,
    advice: &'static str,
    links: Links,
    watch: Option<Watch>,
    /// What is still to be announced.
    plan: VecDeque<(Instant, Step)>,
    announced: Instant,
    hearing: Hearing,
    /// When to read the interfaces again.
    reread: Option<Instant>,
    /// When the window began, and what was sent in it.
    answers: (Instant, u32),
}

#[derive(Clone, Copy)]
enum Step {
    Probe,
    Announce,
    /// Our own packets should have come back by now. If not, one more is
    /// sent: the first ones of a new IPv6 address are not.
    Doubt,
    /// They do not come back.
    Judge,
}

/// Whether multicast works, as far as it can be known from here: a machine
/// hears what it sends itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// Nothing was sent yet.
    Unknown,
    Works,
    /// The user was told that it does not.
    Fails,
}

impl Task {
    /// Opens the sockets.
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            service,
            shared,
            news,
            farewell,
            advice,
        } = parts;
        let now = Instant::now();
        let mut task = Self {
            service,
            shared,
            news,
            farewell: Some(farewell),
            advice,
            links: Links::default(),
            watch: Watch::new().ok(),
            plan: VecDeque::new(),
            announced: now,
            hearing: Hearing::Unknown,
            reread: None,
            answers: (now, 0),
        };
        task.follow_interfaces();
        task
    }

    /// Runs for as long as the process.
    pub(super) async fn run(mut self) {
        let mut buffer = vec![0; LARGEST];
        loop {
            let due = self.due();
            tokio::select! {
                received = self.links.receive(&mut buffer) => {
                    let packet = buffer.get(..received.length).and_then(Packet::parse);
                    self.take(packet, &received);
                }
                () = until(due) => self.act(),
                () = self.shared.wake.notified() => self.ask(),
                outcome = changed(self.watch.as_ref()) => self.interfaces_changed(&outcome),
                done = asked(self.farewell.as_mut()) => self.leave(done),
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        let planned = self.plan.front().map(|(at, _)| *at);
        let ask = self.shared.cache.lock().next_due();
        // Nobody would hear it.
        let ask = ask.filter(|_| !self.links.is_empty());
        [planned, ask, self.reread].into_iter().flatten().min()
    }

    fn act(&mut self) {
        let now = Instant::now();
        if self.reread.is_some_and(|at| at <= now) {
            self.follow_interfaces();
        }
        while let Some((at, step)) = self.plan.front().copied() {
            if at > now {
                break;
            }
            self.plan.pop_front();
            self.step(step);
        }
        self.ask();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Probe => self.tell(Service::probe),
            Step::Announce => {
                self.announced = Instant::now();
                self.tell(Service::announcement);
            }
            Step::Doubt => {
                if self.hearing == Hearing::Unknown {
                    self.step(Step::Announce);
                    let later = self.announced + 2 * ANNOUNCE_PAUSE;
                    self.plan.push_back((later, Step::Judge));
                }
            }
            Step::Judge => {
                if self.hearing == Hearing::Unknown {
                    let reason = format!(
                        "multicast packets do not arrive on {}, a firewall or VPN may drop them",
                        self.links.names()
                    );
                    self.fails(&reason);
                }
            }
        }
    }

    /// Sends something about us to everybody it is of use to.
    fn tell(&mut self, packet: impl Fn(&Service) -> Vec<u8>) {
        if let Some(service) = &self.service {
            self.links.send(&packet(service), reach(service));
        }
    }

    /// Sends the questions that are due.
    fn ask(&mut self) {
        if self.links.is_empty() {
            return;
        }
        let asks = self.shared.cache.lock().due(Instant::now());
        for ask in asks {
            let query = Message::query(&ask.service, ask.known).encode();
            self.links.send(&query, Reach::Network);
        }
    }

    fn take(&mut self, packet: Option<Packet>, received: &Received) {
        if received.arrival.from_here {
            self.works();
        }
        match packet {
            Some(Packet::Query(query)) => self.answer(&query, received),
            Some(Packet::Response(records)) => self.learn(&records, received.arrival),
            None => {}
        }
    }

    fn answer(&mut self, query: &Query, received: &Received) {
        // Two that claim one name at the same time are not told apart.
        if query.is_probe {
            return;
        }
        for question in &query.questions {
            let Some(service) = &self.service else {
                return;
            };
            let Some(answer) = service.answer(query, question) else {
                continue;
            };
            let reach = reach(service);
            if !self.may_answer() {
                return;
            }
            if question.unicast && reach == Reach::Network {
                self.links.send_to(received, &answer);
            } else {
                self.links.send_back(received.arrival, &answer, reach);
            }
        }
    }

    fn may_answer(&mut self) -> bool {
        let now = Instant::now();
        let (since, count) = &mut self.answers;
        if now.saturating_duration_since(*since) >= ANSWER_WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= MOST_ANSWERS
    }

    fn learn(&mut self, records: &[Record], arrival: Arrival) {
        let now = Instant::now();
        let changes = self.shared.cache.lock().take_in(records, arrival, now);
        if !changes.is_empty() {
            self.shared.arrived.notify_waiters();
        }
        for change in changes {
            // With a full queue it is found at the next renewal.
            let _ = self.news.try_send(change);
        }
        // Not by us: ours is the last packet that is sent.
        let is_settled = now.saturating_duration_since(self.announced) >= ANNOUNCE_PAUSE;
        let ours = self.service.as_ref().filter(|_| is_settled);
        if ours.is_some_and(|service| service.is_revoked_by(records)) {
            self.step(Step::Announce);
        }
    }

    fn leave(&mut self, done: Option<oneshot::Sender<()>>) {
        self.farewell = None;
        self.plan.clear();
        self.tell(Service::goodbye);
        self.service = None;
        if let Some(done) = done {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }

    fn interfaces_changed(&mut self, outcome: &io::Result<()>) {
        if outcome.is_err() {
            self.watch = None;
        }
        let soon = Instant::now() + SETTLE;
        self.reread = Some(self.reread.map_or(soon, |at| at.min(soon)));
    }

    fn follow_interfaces(&mut self) {
        let came = self.links.follow(&Interfaces::read());
        let is_reachable = !self.links.is_empty();
        self.shared.reachable.store(is_reachable, Ordering::Relaxed);
        let now = Instant::now();
        self.reread = (self.watch.is_none() || !is_reachable).then_some(now + POLL);
        if !is_reachable {
            self.plan.clear();
            self.fails(if self.links.is_port_taken() {
                "another program has UDP port 5353 for itself alone"
            } else {
                "no network interface with multicast is up, a VPN may be in the way"
            });
        } else if came && self.service.is_some() {
            self.plan_announcements(now);
        }
    }

    fn plan_announcements(&mut self, now: Instant) {
        let spread = || PROBE_SPREAD.mul_f64(fastrand::f64());
        let second = now + spread();
        let announce = second + spread();
        self.plan = [
            (now, Step::Probe),
            (second, Step::Probe),
            (announce, Step::Announce),
            (announce + ANNOUNCE_PAUSE, Step::Announce),
            (announce + 2 * ANNOUNCE_PAUSE, Step::Doubt),
        ]
        .into();
    }

    fn works(&mut self) {
        if self.hearing == Hearing::Fails {
            info!(target: SCOPE, "mDNS is available on {}", self.links.names());
        }
        self.hearing = Hearing::Works;
    }

    fn fails(&mut self, reason: &str) {
        if self.hearing != Hearing::Fails {
            warn!(target: SCOPE, "mDNS is not available: {reason}; {}", self.advice);
        }
        self.hearing = Hearing::Fails;
    }
}

/// An address of loopback is of no use to other machines.
fn reach(service: &Service) -> Reach {
    if service.is_local() {
        Reach::Machine
    } else {
        Reach::Network
    }
}

/// Whom to tell once we have left; `None` when nobody waits for it.
async fn asked(farewell: Option<&mut Farewell>) -> Option<oneshot::Sender<()>> {
    match farewell {
        Some(farewell) => farewell.await.ok(),
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}

async fn changed(watch: Option<&Watch>) -> io::Result<()> {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}
