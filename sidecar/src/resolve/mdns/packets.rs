//! Multicast DNS on the wire: packets are built and taken apart here and
//! nowhere else. Only the parts that Dapr's use of it needs are understood;
//! everything else in a packet is passed over.

#[cfg(test)]
pub(super) mod golden;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::ProtoError;
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{
    BinDecodable as _, BinDecoder, BinEncodable as _, BinEncoder, DecodeError, NameEncoding,
};

/// The largest packet there is (RFC 6762 §17).
pub(super) const LARGEST: usize = 9000;

/// Records looked at in one packet. Dapr's have five; more than this serves
/// only to keep the reader busy.
const MOST_RECORDS: usize = 128;
/// Browsers ask for all the services they know at once.
const MOST_QUESTIONS: usize = 512;

const RESPONSE: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
/// Opcode and response code, both zero in multicast DNS (RFC 6762 §18).
const FOREIGN: u16 = 0x780f;

const INTERNET: u16 = 1;
/// In a question "answer to me alone", in a record "forget older ones".
const TOP_BIT: u16 = 0x8000;

const A: u16 = 1;
pub(super) const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
pub(super) const ANY: u16 = 255;

/// A packet that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Query(Query),
    Response(Vec<Record>),
}

/// Somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) id: u16,
    pub(super) questions: Vec<Question>,
    /// What they know already.
    pub(super) known: Vec<Record>,
    /// They claim a name rather than ask for one.
    pub(super) is_probe: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: u16,
    /// The answer is for the one who asks, not for everybody.
    pub(super) unicast: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: Name,
    /// Replaces what others remember under this name.
    pub(super) flush: bool,
    /// Seconds; 0 takes the record back.
    pub(super) ttl: u32,
    pub(super) data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Ptr(Name),
    Srv {
        port: u16,
        host: Name,
    },
    /// The first of its strings.
    Txt(Vec<u8>),
    Address(IpAddr),
}

/// A packet to send.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    id: u16,
    flags: u16,
    question: Option<&'a Name>,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
}

// === impl Packet ===

impl Packet {
    /// `None` for what is broken or not multicast DNS.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        read(&mut BinDecoder::new(bytes)).ok().flatten()
    }
}

fn read(decoder: &mut BinDecoder<'_>) -> Result<Option<Packet>, DecodeError> {
    let mut number = || Ok::<_, DecodeError>(decoder.read_u16()?.unverified());
    let (id, flags) = (number()?, number()?);
    let [questions, answers, authorities, additionals] =
        [number()?, number()?, number()?, number()?].map(usize::from);
    if flags & FOREIGN != 0 || questions > MOST_QUESTIONS {
        return Ok(None);
    }
    let asked = (0..questions)
        .map(|_| read_question(decoder))
        .collect::<Result<_, _>>()?;
    if flags & RESPONSE != 0 {
        let records = read_records(decoder, answers + authorities + additionals)?;
        return Ok(Some(Packet::Response(records)));
    }
    Ok(Some(Packet::Query(Query {
        id,
        questions: asked,
        known: read_records(decoder, answers)?,
        is_probe: authorities > 0,
    })))
}

fn read_question(decoder: &mut BinDecoder<'_>) -> Result<Question, DecodeError> {
    let name = Name::read(decoder)?;
    let kind = decoder.read_u16()?.unverified();
    let class = decoder.read_u16()?.unverified();
    Ok(Question {
        name,
        kind,
        unicast: class & TOP_BIT != 0,
    })
}

fn read_records(decoder: &mut BinDecoder<'_>, count: usize) -> Result<Vec<Record>, DecodeError> {
    let mut records = Vec::new();
    for _ in 0..count.min(MOST_RECORDS) {
        records.extend(read_record(decoder)?);
    }
    Ok(records)
}

/// `None` for kinds that do not matter here.
fn read_record(decoder: &mut BinDecoder<'_>) -> Result<Option<Record>, DecodeError> {
    let name = Name::read(decoder)?;
    let kind = decoder.read_u16()?.unverified();
    let class = decoder.read_u16()?.unverified();
    let ttl = decoder.read_u32()?.unverified();
    let length = usize::from(decoder.read_u16()?.unverified());
    let end = decoder.index() + length;
    let data = if class & !TOP_BIT == INTERNET {
        read_data(decoder, kind, length)?
    } else {
        None
    };
    let rest = end
        .checked_sub(decoder.index())
        .ok_or(DecodeError::InsufficientBytes)?;
    decoder.read_slice(rest)?;
    Ok(data.map(|data| Record {
        name,
        flush: class & TOP_BIT != 0,
        ttl,
        data,
    }))
}

fn read_data(
    decoder: &mut BinDecoder<'_>,
    kind: u16,
    length: usize,
) -> Result<Option<Data>, DecodeError> {
    Ok(Some(match (kind, length) {
        (A, 4) => {
            let bits = decoder.read_u32()?.unverified();
            Data::Address(Ipv4Addr::from_bits(bits).into())
        }
        (AAAA, 16) => {
            let mut bits = 0;
            for _ in 0..4 {
                bits = bits << 32 | u128::from(decoder.read_u32()?.unverified());
            }
            Data::Address(Ipv6Addr::from_bits(bits).into())
        }
        (PTR, _) => Data::Ptr(Name::read(decoder)?),
        (SRV, 7..) => {
            // Priority and weight: nobody uses them.
            decoder.read_u32()?;
            let port = decoder.read_u16()?.unverified();
            let host = Name::read(decoder)?;
            Data::Srv { port, host }
        }
        (TXT, 1..) => {
            let text = decoder.read_character_data()?.unverified();
            Data::Txt(text.to_owned())
        }
        _ => return Ok(None),
    }))
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Asks who serves `service`, except those in `known`.
    pub(super) fn query(service: &'a Name, known: Vec<Record>) -> Self {
        Self {
            question: Some(service),
            answers: known,
            ..Self::default()
        }
    }

    /// Claims a name by what will be there.
    pub(super) fn probe(instance: &'a Name, claims: Vec<Record>) -> Self {
        Self {
            question: Some(instance),
            authorities: claims,
            ..Self::default()
        }
    }

    /// Tells everybody, unasked.
    pub(super) fn announcement(answers: Vec<Record>) -> Self {
        Self {
            flags: RESPONSE,
            answers,
            ..Self::default()
        }
    }

    /// Answers the query `id`.
    pub(super) fn answer(id: u16, answers: Vec<Record>, additionals: Vec<Record>) -> Self {
        Self {
            id,
            flags: RESPONSE | AUTHORITATIVE,
            answers,
            additionals,
            ..Self::default()
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.emit(&mut BinEncoder::new(&mut bytes))
            .expect("names are of legal length and a few records fit into any packet");
        bytes
    }

    fn emit(&self, encoder: &mut BinEncoder<'_>) -> Result<(), ProtoError> {
        let sections = [&self.answers, &self.authorities, &self.additionals];
        encoder.emit_u16(self.id)?;
        encoder.emit_u16(self.flags)?;
        encoder.emit_u16(u16::from(self.question.is_some()))?;
        for section in sections {
            encoder.emit_u16(section.len() as u16)?;
        }
        if let Some(name) = self.question {
            name.emit(encoder)?;
            encoder.emit_u16(PTR)?;
            encoder.emit_u16(INTERNET)?;
        }
        for record in sections.into_iter().flatten() {
            record.emit(encoder)?;
        }
        Ok(())
    }
}

// === impl Record ===

impl Record {
    fn emit(&self, encoder: &mut BinEncoder<'_>) -> Result<(), ProtoError> {
        self.name.emit(encoder)?;
        encoder.emit_u16(self.data.kind())?;
        encoder.emit_u16(if self.flush {
            INTERNET | TOP_BIT
        } else {
            INTERNET
        })?;
        encoder.emit_u32(self.ttl)?;
        let length = encoder.place::<u16>()?;
        self.data.emit(encoder)?;
        let written = encoder.len_since_place(&length);
        length.replace(encoder, written as u16)
    }
}

impl Data {
    fn kind(&self) -> u16 {
        match self {
            Self::Ptr(_) => PTR,
            Self::Srv { .. } => SRV,
            Self::Txt(_) => TXT,
            Self::Address(IpAddr::V4(_)) => A,
            Self::Address(IpAddr::V6(_)) => AAAA,
        }
    }

    fn emit(&self, encoder: &mut BinEncoder<'_>) -> Result<(), ProtoError> {
        match self {
            Self::Ptr(name) => name.emit(encoder),
            Self::Srv { port, host } => {
                encoder.emit_u32(0)?;
                encoder.emit_u16(*port)?;
                // As Dapr sends it; not every reader expects a pointer here.
                let mut plain = encoder.with_name_encoding(NameEncoding::Uncompressed);
                host.emit(&mut plain)
            }
            Self::Txt(text) => encoder.emit_character_data(text),
            Self::Address(IpAddr::V4(address)) => encoder.emit_vec(&address.octets()),
            Self::Address(IpAddr::V6(address)) => encoder.emit_vec(&address.octets()),
        }
    }
}
