//! What others announced about the apps we call, and when to ask again.
//!
//! Pure: the time is an argument. Only apps that were looked up are
//! remembered, so that the traffic of a network does not matter; all lists
//! have a bound.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::rr::Name;

use self::entry::Entry;
use super::packets::{Data, Record};
use super::service::{TTL, service_name};
use crate::resolve::cache::Change;

/// An instance nobody heard of for this long is gone.
const LIFE: Duration = Duration::from_mins(1);
/// How often an app in use is asked for.
const REFRESH: Duration = Duration::from_secs(30);
/// Pauses before the same question is repeated: a packet may get lost, and
/// more instances may answer. Of ten packets six arrive on bad wireless
/// networks; four questions within a look-up are enough for those.
const REPEATS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_secs(2),
];
/// How long the old place of an instance is kept that says it is elsewhere:
/// time for a round of questions.
const DOUBT: Duration = Duration::from_secs(3);
/// An app not looked up for this long is forgotten.
const FORGET: Duration = Duration::from_mins(2);
/// Apps remembered; a sidecar rarely calls more than a few.
const MOST_APPS: usize = 256;
/// Instances remembered of one app.
const MOST_INSTANCES: usize = 128;

/// All apps that were looked up.
#[derive(Debug, Default)]
pub(super) struct Cache {
    apps: HashMap<Arc<str>, App>,
}

#[derive(Debug)]
struct App {
    service: Name,
    instances: Vec<Instance>,
    used: Instant,
    /// When to ask next.
    next: Instant,
    /// Questions of this round so far.
    asked: usize,
    /// When the round began.
    began: Instant,
    /// More instances may exist than answered: the round goes to its end.
    eager: bool,
}

#[derive(Debug)]
struct Instance {
    name: Name,
    address: SocketAddr,
    seen: Instant,
    life: Duration,
}

/// A question that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) service: Name,
    /// Who need not answer.
    pub(super) known: Vec<Record>,
}

/// How a packet came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Interface, which link-local addresses are only good on.
    pub(super) interface: u32,
    /// The sender is on this machine, where loopback means the same.
    pub(super) from_here: bool,
}

// === impl Cache ===

impl Cache {
    /// The live instances, IPv4 first. Without any, the app is asked for at
    /// the next opportunity.
    pub(super) fn look_up(&mut self, app_id: &str, now: Instant) -> Vec<SocketAddr> {
        if !self.apps.contains_key(app_id) {
            let Ok(service) = service_name(app_id) else {
                return Vec::new();
            };
            self.make_room();
            self.apps.insert(app_id.into(), App::new(service, now));
        }
        let Some(app) = self.apps.get_mut(app_id) else {
            return Vec::new();
        };
        app.used = now;
        let live = app.live(now);
        if live.is_empty() {
            app.ask_at(now);
        }
        live
    }

    /// The live instances of an app that is being looked up.
    pub(super) fn get(&self, app_id: &str, now: Instant) -> Vec<SocketAddr> {
        self.apps
            .get(app_id)
            .map_or_else(Vec::new, |app| app.live(now))
    }

    /// Somebody answers for this app, or may still do so.
    pub(super) fn is_asked_for(&self, app_id: &str) -> bool {
        self.apps.contains_key(app_id)
    }

    /// An app nobody answered for, and nobody looked up since `asked`.
    pub(super) fn forget(&mut self, app_id: &str, asked: Instant) {
        if self.apps.get(app_id).is_some_and(|app| app.used <= asked) {
            self.apps.remove(app_id);
        }
    }

    /// Nobody is at this address: it is dropped and asked for at once.
    pub(super) fn refused(&mut self, app_id: &str, address: SocketAddr, now: Instant) {
        let Some(app) = self.apps.get_mut(app_id) else {
            return;
        };
        let count = app.instances.len();
        app.instances.retain(|instance| instance.address != address);
        if app.instances.len() < count {
            app.ask_at(now);
        }
    }

    /// Takes in a response; returns what changed.
    pub(super) fn take_in(
        &mut self,
        records: &[Record],
        arrival: Arrival,
        now: Instant,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (app_id, app) in &mut self.apps {
            let before = app.live(now);
            for record in records {
                let Data::Ptr(instance) = &record.data else {
                    continue;
                };
                if record.name.eq_case(&app.service) {
                    let entry = Entry::of(app_id, instance, record.ttl, records, arrival);
                    app.apply(instance, entry, now);
                }
            }
            let after = app.live(now);
            if before != after {
                let gone = before.into_iter().filter(|old| !after.contains(old));
                changes.push(Change {
                    app_id: Arc::clone(app_id),
                    gone: gone.collect(),
                });
            }
        }
        changes
    }

    /// The questions to send now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Ask> {
        self.apps
            .retain(|_, app| now.saturating_duration_since(app.used) < FORGET);
        let apps = self.apps.values_mut();
        apps.filter_map(|app| app.due(now)).collect()
    }

    /// When [`Self::due`] has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.apps.values().map(|app| app.next).min()
    }

    fn make_room(&mut self) {
        if self.apps.len() < MOST_APPS {
            return;
        }
        let oldest = self.apps.iter().min_by_key(|(_, app)| app.used);
        if let Some(app_id) = oldest.map(|(app_id, _)| Arc::clone(app_id)) {
            self.apps.remove(&app_id);
        }
    }
}

// === impl App ===

impl App {
    fn new(service: Name, now: Instant) -> Self {
        Self {
            service,
            instances: Vec::new(),
            used: now,
            next: now,
            asked: 0,
            began: now,
            eager: true,
        }
    }

    /// Begins a round of questions.
    fn ask_at(&mut self, now: Instant) {
        (self.next, self.asked, self.eager) = (now, 0, true);
    }

    fn live(&self, now: Instant) -> Vec<SocketAddr> {
        let live = self
            .instances
            .iter()
            .filter(|instance| instance.is_live(now));
        let mut addresses: Vec<_> = live.map(|instance| instance.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    fn apply(&mut self, name: &Name, entry: Entry, now: Instant) {
        match entry {
            Entry::Unusable => {}
            Entry::Gone(place) => self.instances.retain(|known| {
                !known.name.eq_case(name) || place.is_some_and(|place| known.address != place)
            }),
            Entry::At(address, life) => {
                let instance = Instance {
                    name: name.clone(),
                    address,
                    seen: now,
                    life,
                };
                let mut known = self.instances.iter_mut();
                // Whoever was at the address before is gone.
                if let Some(known) = known.find(|known| known.address == address) {
                    *known = instance;
                } else {
                    self.doubt(name, now);
                    self.make_room();
                    self.instances.push(instance);
                }
            }
        }
    }

    /// An instance turns up in another place. It has moved, or it has a twin:
    /// containers that share the network of their host are all called after
    /// the host and process 1. A twin answers when it is asked.
    fn doubt(&mut self, name: &Name, now: Instant) {
        let mut is_doubtful = false;
        for known in &mut self.instances {
            if known.name.eq_case(name) {
                let age = now.saturating_duration_since(known.seen);
                known.life = known.life.min(age + DOUBT);
                is_doubtful = true;
            }
        }
        if is_doubtful {
            self.ask_at(now);
        }
    }

    fn make_room(&mut self) {
        if self.instances.len() < MOST_INSTANCES {
            return;
        }
        let mut ages = self.instances.iter().enumerate();
        let first = ages.next().map(|(at, instance)| (at, instance.seen));
        let oldest = ages.fold(first, |oldest, (at, instance)| match oldest {
            Some((_, seen)) if instance.seen < seen => Some((at, instance.seen)),
            oldest => oldest,
        });
        if let Some((at, _)) = oldest {
            self.instances.swap_remove(at);
        }
    }

    fn due(&mut self, now: Instant) -> Option<Ask> {
        if now < self.next {
            return None;
        }
        self.instances.retain(|instance| instance.is_live(now));
        if self.asked == 0 {
            self.began = now;
        } else if !self.eager && self.instances.iter().all(|known| known.seen >= self.began) {
            // Everybody has answered.
            (self.asked, self.next) = (0, self.began + REFRESH);
            return None;
        }
        if let Some(pause) = REPEATS.get(self.asked) {
            (self.asked, self.next) = (self.asked + 1, now + *pause);
        } else {
            (self.asked, self.next, self.eager) = (0, now + REFRESH, false);
        }
        Some(Ask {
            service: self.service.clone(),
            known: self.known(),
        })
    }

    /// Those who answered in this round need not do so again. Those who did
    /// not are asked whether they are still there.
    fn known(&self) -> Vec<Record> {
        /// As many as surely fit into one packet.
        const MOST: usize = 16;
        let answered = self
            .instances
            .iter()
            .filter(|known| known.seen > self.began);
        let records = answered.take(MOST).map(|instance| Record {
            name: self.service.clone(),
            flush: false,
            ttl: TTL,
            data: Data::Ptr(instance.name.clone()),
        });
        records.collect()
    }
}

impl Instance {
    fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < self.life
    }
}
