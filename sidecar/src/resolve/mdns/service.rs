//! What is announced about this sidecar, in Dapr's form: the service type is
//! the app id itself, the instance is host name and process id.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use hickory_proto::rr::Name;

use super::packets::{ANY, Data, Message, PTR, Query, Question, Record};
use crate::resolve::Me;

/// How long others may remember us, in seconds.
pub(super) const TTL: u32 = 3200;
/// The same for the address of the host.
const HOST_TTL: u32 = 120;
const DOMAIN: &str = "local";

/// Why nothing can be announced; the texts are Dapr's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::resolve) enum ServiceError {
    #[error("name is missing")]
    NoName,
    #[error("address is missing")]
    NoAddress,
    #[error("port is missing or invalid")]
    NoPort,
    #[error("missing host name")]
    NoHost,
    #[error("failed to parse given IP: {0}")]
    Address(String),
    #[error(
        "'{0}' cannot be a name in mDNS: expected parts of 1 to 63 bytes between dots, at most 255 together"
    )]
    Name(String),
}

/// Our own entry.
#[derive(Debug)]
pub(super) struct Service {
    /// The type of service.
    kind: Name,
    instance: Name,
    /// Lists all types of service.
    enumeration: Name,
    host: Name,
    port: u16,
    address: IpAddr,
    text: Vec<u8>,
}

/// `<app-id>.local.`
pub(super) fn service_name(app_id: &str) -> Result<Name, ServiceError> {
    name(app_id, &[])
}

/// The labels of `text` between its dots, below those of `parent`.
fn name(text: &str, parent: &[&str]) -> Result<Name, ServiceError> {
    let failed = || ServiceError::Name(text.to_owned());
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels = text.split('.').chain(parent.iter().copied());
    let labels = labels.chain([DOMAIN]).map(str::as_bytes);
    if labels.clone().any(<[u8]>::is_empty) {
        return Err(failed());
    }
    let mut name = Name::from_labels(labels).map_err(|_| failed())?;
    name.set_fqdn(true);
    Ok(name)
}

impl Service {
    pub(super) fn new(me: &Me, host: &str, pid: u32) -> Result<Self, ServiceError> {
        if me.app_id.is_empty() {
            return Err(ServiceError::NoName);
        }
        if me.address.is_empty() {
            return Err(ServiceError::NoAddress);
        }
        if me.internal_port == 0 {
            return Err(ServiceError::NoPort);
        }
        if host.is_empty() {
            return Err(ServiceError::NoHost);
        }
        let address = me
            .address
            .parse()
            .map_err(|_| ServiceError::Address(me.address.clone()))?;
        // A host that is already called so in this domain keeps its name.
        let plain = host.strip_suffix(".local").unwrap_or(host);
        Ok(Self {
            kind: service_name(&me.app_id)?,
            instance: name(&format!("{host}:{pid}"), &[&me.app_id])?,
            enumeration: name("_services._dns-sd._udp", &[])?,
            host: name(plain, &[])?,
            port: me.internal_port,
            address,
            text: me.app_id.clone().into_bytes(),
        })
    }

    /// Nobody on another machine can use our address.
    pub(super) fn is_local(&self) -> bool {
        self.address.is_loopback()
    }

    /// Sent twice before the announcements.
    pub(super) fn probe(&self) -> Vec<u8> {
        let claims = vec![self.location(false), self.description(false)];
        Message::probe(&self.instance, claims).encode()
    }

    /// Sent twice to everybody.
    pub(super) fn announcement(&self) -> Vec<u8> {
        Message::announcement(self.everything(true)).encode()
    }

    /// Takes everything back.
    pub(super) fn goodbye(&self) -> Vec<u8> {
        let mut records = self.everything(true);
        for record in &mut records {
            record.ttl = 0;
        }
        Message::announcement(records).encode()
    }

    /// The answer to one question, unless the asker knows it already.
    pub(super) fn answer(&self, query: &Query, question: &Question) -> Option<Vec<u8>> {
        let is_for_pointer = matches!(question.kind, PTR | ANY);
        let (answers, additionals) = if question.name.eq_case(&self.instance) {
            (self.everything(false), Vec::new())
        } else if is_for_pointer && question.name.eq_case(&self.kind) {
            let more = vec![
                self.location(false),
                self.description(false),
                self.host_address(false),
            ];
            (vec![self.pointer()], more)
        } else if is_for_pointer && question.name.eq_case(&self.enumeration) {
            (vec![self.type_pointer()], Vec::new())
        } else {
            return None;
        };
        let is_known = answers
            .iter()
            .take(1)
            .any(|answer| query.known.iter().any(|known| covers(known, answer)));
        (!is_known).then(|| Message::answer(query.id, answers, additionals).encode())
    }

    /// Somebody else took our entry back.
    pub(super) fn is_revoked_by(&self, records: &[Record]) -> bool {
        records.iter().any(|record| {
            let is_ours = match &record.data {
                Data::Ptr(instance) => instance.eq_case(&self.instance),
                Data::Srv { .. } => record.name.eq_case(&self.instance),
                Data::Txt(_) | Data::Address(_) => false,
            };
            record.ttl == 0 && is_ours
        })
    }

    /// In Dapr's order. Of the address, only an announcement tells others to
    /// forget older ones.
    fn everything(&self, flush_address: bool) -> Vec<Record> {
        vec![
            self.location(true),
            self.description(true),
            self.pointer(),
            self.type_pointer(),
            self.host_address(flush_address),
        ]
    }

    fn location(&self, flush: bool) -> Record {
        let data = Data::Srv {
            port: self.port,
            host: self.host.clone(),
        };
        record(&self.instance, TTL, flush, data)
    }

    fn description(&self, flush: bool) -> Record {
        record(&self.instance, TTL, flush, Data::Txt(self.text.clone()))
    }

    fn pointer(&self) -> Record {
        let data = Data::Ptr(self.instance.clone());
        record(&self.kind, TTL, false, data)
    }

    fn type_pointer(&self) -> Record {
        let data = Data::Ptr(self.kind.clone());
        record(&self.enumeration, TTL, false, data)
    }

    fn host_address(&self, flush: bool) -> Record {
        record(&self.host, HOST_TTL, flush, Data::Address(self.address))
    }
}

fn record(name: &Name, ttl: u32, flush: bool, data: Data) -> Record {
    Record {
        name: name.clone(),
        flush,
        ttl,
        data,
    }
}

/// Whether a record somebody knows makes the answer needless: it is the same
/// pointer and lives at least half as long (RFC 6762 §7.1).
fn covers(known: &Record, answer: &Record) -> bool {
    let (Data::Ptr(theirs), Data::Ptr(ours)) = (&known.data, &answer.data) else {
        return false;
    };
    known.name.eq_case(&answer.name) && theirs.eq_case(ours) && known.ttl >= answer.ttl / 2
}
