//! The envelope around every event: who, when, where in the stream, and the hash of what came before.
//!
//! The bytes of an event are made once, here, and from then on only copied: they are what is
//! hashed, stored, exported and read again. Nothing ever writes the same event a second time from
//! its parsed form, so that no change of a serialiser can break the chain of old events.
//!
//! Five fields are the spine that every format, also a newer one, keeps at the top level: `format`,
//! `id`, `stream`, `sequence` and `prev`. They are enough to verify a chain that this version cannot read.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Event;
use crate::names::{DeploymentNumber, StreamName};
use crate::text::harmless_json;

/// The format of the envelopes that this version writes, and the newest that it reads.
pub const ENVELOPE_FORMAT: u32 = 1;

/// The size of the largest event, in bytes of JSON: 1 MiB.
pub const LARGEST_EVENT: usize = 1024 * 1024;

/// The version of the tool, as events record it.
pub const TOOL_VERSION: &str = concat!("surefoot ", env!("CARGO_PKG_VERSION"));

/// The identity of an event: a ULID. Appending is idempotent by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(ulid::Ulid);

impl EventId {
    /// The id made of a wall time in milliseconds and randomness; both come from the caller.
    pub fn from_parts(milliseconds: u64, randomness: u128) -> Self {
        Self(ulid::Ulid::from_parts(milliseconds, randomness))
    }

    /// The sixteen bytes of the id, in the order of time.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// A text that is not an event id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event id is a ULID of 26 characters")]
pub struct NotAnEventId;

impl FromStr for EventId {
    type Err = NotAnEventId;
    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        ulid::Ulid::from_string(text).map(Self).map_err(|_| NotAnEventId)
    }
}

impl TryFrom<String> for EventId {
    type Error = NotAnEventId;
    fn try_from(text: String) -> Result<Self, NotAnEventId> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> String {
        id.to_string()
    }
}

/// The SHA-256 of the stored bytes of one event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventHash(pub [u8; 32]);

impl EventHash {
    /// What the first event of a stream names as the hash before it.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHash({self})")
    }
}

impl TryFrom<String> for EventHash {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)?;
        Ok(Self(hash))
    }
}

impl From<EventHash> for String {
    fn from(hash: EventHash) -> String {
        hash.to_string()
    }
}

/// Who did it, for people to read: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user's login name.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The address of the CI run, where there is one.
    #[serde(default)]
    pub ci_run: Option<String>,
}

/// What a caller hands in; the journal adds the place in the stream, the chain and the version.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The identity, chosen by the caller so that a repeated append is recognised.
    pub id: EventId,
    /// The deployment it belongs to; none for what happens beside deployments.
    pub deployment: Option<DeploymentNumber>,
    /// The name of the event, such as `DigestPushed`.
    pub type_name: String,
    /// The version of this type's data.
    pub type_version: u32,
    /// The intention that this event settles.
    pub settles: Option<EventId>,
    /// The wall time; kept in milliseconds, for display only.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Actor,
    /// What happened, in the words of the type.
    pub data: serde_json::Value,
}

/// An event as it was read. Field order is the order of the stored JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The format of this envelope.
    pub format: u32,
    /// The identity of the event.
    pub id: EventId,
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The deployment it belongs to; none for what happens beside deployments.
    pub deployment: Option<DeploymentNumber>,
    /// The name of the event.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The version of this type's data.
    pub type_version: u32,
    /// The intention that this event settles.
    pub settles: Option<EventId>,
    /// The wall time, for display only.
    #[serde(with = "milliseconds")]
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Actor,
    /// The version of the tool that wrote it.
    pub tool: String,
    /// What happened.
    pub data: serde_json::Value,
    /// The hash of the event before it, [`EventHash::NONE`] for the first.
    #[serde(rename = "prev")]
    pub previous: EventHash,
}

/// The part of an envelope that every format keeps, also one that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Spine {
    /// The format of the envelope.
    pub format: u32,
    /// The identity of the event.
    pub id: EventId,
    /// The stream the event belongs to.
    pub stream: StreamName,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The hash of the event before it, [`EventHash::NONE`] for the first.
    #[serde(rename = "prev")]
    pub previous: EventHash,
}

/// What links an event into its chain, read without making anything of its content: a million of
/// them are verified in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The identity of the event.
    pub id: EventId,
    /// The stream it belongs to.
    pub stream: Arc<StreamName>,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The hash of the event before it.
    pub previous: EventHash,
    /// The hash of its own bytes.
    pub hash: EventHash,
}

/// The envelope as it lies in the bytes, its data passed over. Whatever this does not read is read
/// by [`StoredEvent::parse`], which also says what is wrong.
#[derive(Deserialize)]
struct Lean<'a> {
    format: u32,
    id: &'a str,
    stream: &'a str,
    sequence: u64,
    #[serde(rename = "deployment")]
    _deployment: Option<u64>,
    #[serde(rename = "type")]
    _type_name: &'a str,
    #[serde(rename = "type_version")]
    _type_version: u32,
    settles: Option<&'a str>,
    at: &'a str,
    #[serde(rename = "actor", borrow)]
    _actor: LeanActor<'a>,
    #[serde(rename = "tool")]
    _tool: &'a str,
    #[serde(rename = "data")]
    _data: serde::de::IgnoredAny,
    prev: &'a str,
}

#[derive(Deserialize)]
struct LeanActor<'a> {
    #[serde(rename = "user")]
    _user: &'a str,
    #[serde(rename = "host")]
    _host: &'a str,
    #[serde(rename = "ci_run", default)]
    _ci_run: Option<&'a str>,
}

/// Reads the links of many events; it remembers the names of their streams.
#[derive(Debug, Default)]
pub struct LinkReader {
    streams: HashMap<String, Arc<StreamName>>,
}

impl LinkReader {
    /// The link of the event with these bytes, as strict as [`StoredEvent::parse`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<Link, Damage> {
        if let Some(link) = self.lean(bytes) {
            return Ok(link);
        }
        let event = StoredEvent::parse(bytes.to_vec())?;
        Ok(Link {
            id: event.id(),
            stream: Arc::new(event.stream().clone()),
            sequence: event.sequence(),
            previous: event.previous(),
            hash: event.hash(),
        })
    }

    fn lean(&mut self, bytes: &[u8]) -> Option<Link> {
        let lean: Lean<'_> = serde_json::from_slice(bytes).ok()?;
        if lean.format > ENVELOPE_FORMAT {
            return None;
        }
        DateTime::parse_from_rfc3339(lean.at).ok()?;
        if let Some(settles) = lean.settles {
            settles.parse::<EventId>().ok()?;
        }
        let mut previous = [0; 32];
        hex::decode_to_slice(lean.prev, &mut previous).ok()?;
        Some(Link {
            id: lean.id.parse().ok()?,
            stream: self.stream(lean.stream)?,
            sequence: lean.sequence,
            previous: EventHash(previous),
            hash: EventHash::of(bytes),
        })
    }

    fn stream(&mut self, name: &str) -> Option<Arc<StreamName>> {
        if let Some(stream) = self.streams.get(name) {
            return Some(stream.clone());
        }
        let stream: Arc<StreamName> = Arc::new(name.parse().ok()?);
        self.streams.insert(name.to_owned(), stream.clone());
        Some(stream)
    }
}

/// An event with the very bytes that are stored. Clones share them, and what was read from them.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes: Box<[u8]>,
    hash: EventHash,
    content: Content,
    /// What the data says, once somebody asked: `None` where this version cannot read it.
    event: OnceLock<Option<Event>>,
}

/// Everything else follows from the bytes.
impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    Known(Box<Envelope>),
    Newer(Spine),
}

/// Why an event cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// It is larger than [`LARGEST_EVENT`].
    #[error("an event holds at most {LARGEST_EVENT} bytes, this one has {0}")]
    TooLarge(usize),
    /// It could be written but not be read again; JSON nested deeper than a reader follows.
    #[error("the event could not be read again: {0}")]
    Unreadable(String),
}

/// Why stored bytes are not the event they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The bytes do not have the hash stored beside them.
    #[error("its bytes do not match their hash")]
    Hash,
    /// The bytes are not an envelope.
    #[error("it is not an event: {0}")]
    Unreadable(String),
    /// It names another stream.
    #[error("it belongs to the stream {0}")]
    Stream(StreamName),
    /// It names another place.
    #[error("it calls itself number {0}")]
    Sequence(u64),
    /// It does not follow the event before it.
    #[error("it does not follow the event before it")]
    Chain,
}

impl Draft {
    /// Makes the stored form of this draft at one place of a stream.
    pub fn store(
        &self,
        stream: &StreamName,
        sequence: u64,
        previous: EventHash,
    ) -> Result<StoredEvent, Unstorable> {
        let envelope = self.envelope(stream, sequence, previous, TOOL_VERSION);
        let bytes = encode(&envelope);
        if bytes.len() > LARGEST_EVENT {
            return Err(Unstorable::TooLarge(bytes.len()));
        }
        if reads_as_written(&envelope.data, SURELY_READ) {
            let stored = StoredEvent::of(bytes, Content::Known(Box::new(envelope)));
            debug_assert_eq!(
                StoredEvent::parse(stored.bytes().to_vec()).map(|read| read.shared.content.clone()),
                Ok(stored.shared.content.clone()),
            );
            return Ok(stored);
        }
        StoredEvent::parse(bytes).map_err(|damage| Unstorable::Unreadable(damage.to_string()))
    }

    /// Whether this draft is what `stored` was made of, whichever version of the tool made it.
    pub fn is(&self, stored: &StoredEvent) -> bool {
        stored.envelope().is_some_and(|envelope| {
            let tool = &envelope.tool;
            let again = self.envelope(&envelope.stream, envelope.sequence, envelope.previous, tool);
            encode(&again) == stored.bytes()
        })
    }

    fn envelope(
        &self,
        stream: &StreamName,
        sequence: u64,
        previous: EventHash,
        tool: &str,
    ) -> Envelope {
        Envelope {
            format: ENVELOPE_FORMAT,
            id: self.id,
            stream: stream.clone(),
            sequence,
            deployment: self.deployment,
            type_name: self.type_name.clone(),
            type_version: self.type_version,
            settles: self.settles,
            at: self.at.trunc_subsecs(3),
            actor: self.actor.clone(),
            tool: tool.to_owned(),
            data: self.data.clone(),
            previous,
        }
    }
}

/// Data nested no deeper than this is within what a reader follows, envelope included. Source:
/// `serde_json`, whose limit is 128.
const SURELY_READ: usize = 100;

/// What would harm a terminal is stored as escapes: an export shows the very bytes that are stored.
fn encode(envelope: &Envelope) -> Vec<u8> {
    let json = serde_json::to_string(envelope).expect("an envelope has string keys only");
    harmless_json(json).into_bytes()
}

/// Whether data is certain to be read as it was written. Fractions may lose their last digit, and
/// what is nested too deep is not read at all.
fn reads_as_written(data: &serde_json::Value, deep: usize) -> bool {
    match data {
        serde_json::Value::Number(number) => !number.is_f64(),
        serde_json::Value::Array(items) => {
            deep > 0 && items.iter().all(|item| reads_as_written(item, deep - 1))
        }
        serde_json::Value::Object(fields) => {
            deep > 0 && fields.values().all(|field| reads_as_written(field, deep - 1))
        }
        _ => true,
    }
}

impl StoredEvent {
    /// Reads stored bytes. A newer format is no error: the event then has no envelope.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Damage> {
        let content = match serde_json::from_slice::<Envelope>(&bytes) {
            Ok(envelope) if envelope.format <= ENVELOPE_FORMAT => {
                Content::Known(Box::new(envelope))
            }
            Ok(_) => Content::Newer(newer_spine(&bytes)?),
            Err(error) => Content::Newer(newer_spine(&bytes).map_err(|_| unreadable(&error))?),
        };
        Ok(Self::of(bytes, content))
    }

    fn of(bytes: Vec<u8>, content: Content) -> Self {
        let hash = EventHash::of(&bytes);
        let (bytes, event) = (bytes.into_boxed_slice(), OnceLock::new());
        Self { shared: Arc::new(Shared { bytes, hash, content, event }) }
    }

    /// Checks that this event is the one at `sequence` of `stream`, right behind `previous`.
    pub fn check_place(
        &self,
        stream: &StreamName,
        sequence: u64,
        previous: EventHash,
    ) -> Result<(), Damage> {
        if self.stream() != stream {
            return Err(Damage::Stream(self.stream().clone()));
        }
        if self.sequence() != sequence {
            return Err(Damage::Sequence(self.sequence()));
        }
        if self.previous() != previous {
            return Err(Damage::Chain);
        }
        Ok(())
    }

    /// The bytes as they are stored, hashed and exported: one line of JSON without line break.
    pub fn bytes(&self) -> &[u8] {
        &self.shared.bytes
    }

    /// The hash of the bytes, which the next event names.
    pub fn hash(&self) -> EventHash {
        self.shared.hash
    }

    /// The format of the envelope; above [`ENVELOPE_FORMAT`] there is no [`Self::envelope`].
    pub fn format(&self) -> u32 {
        match &self.shared.content {
            Content::Known(envelope) => envelope.format,
            Content::Newer(spine) => spine.format,
        }
    }

    /// The identity.
    pub fn id(&self) -> EventId {
        match &self.shared.content {
            Content::Known(envelope) => envelope.id,
            Content::Newer(spine) => spine.id,
        }
    }

    /// The stream.
    pub fn stream(&self) -> &StreamName {
        match &self.shared.content {
            Content::Known(envelope) => &envelope.stream,
            Content::Newer(spine) => &spine.stream,
        }
    }

    /// The place in the stream, from 1.
    pub fn sequence(&self) -> u64 {
        match &self.shared.content {
            Content::Known(envelope) => envelope.sequence,
            Content::Newer(spine) => spine.sequence,
        }
    }

    /// The hash of the event before it.
    pub fn previous(&self) -> EventHash {
        match &self.shared.content {
            Content::Known(envelope) => envelope.previous,
            Content::Newer(spine) => spine.previous,
        }
    }

    /// The event; none where a newer version wrote it in a format that this one cannot read.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.shared.content {
            Content::Known(envelope) => Some(envelope),
            Content::Newer(_) => None,
        }
    }

    /// What happened, read from the stored data; none where this version cannot read it.
    pub fn event(&self) -> Option<&Event> {
        let envelope = self.envelope()?;
        let read = || Event::parse(&envelope.type_name, &envelope.data).ok();
        self.shared.event.get_or_init(read).as_ref()
    }
}

/// The spine of an event whose format is newer than this version.
fn newer_spine(bytes: &[u8]) -> Result<Spine, Damage> {
    let spine: Spine = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    if spine.format > ENVELOPE_FORMAT {
        return Ok(spine);
    }
    Err(Damage::Unreadable(format!("format {} has other fields", spine.format)))
}

fn unreadable(error: &serde_json::Error) -> Damage {
    Damage::Unreadable(error.to_string())
}

/// RFC 3339 in UTC with exactly three digits of a second.
mod milliseconds {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &DateTime<Utc>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(from)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(at.to_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stream() -> StreamName {
        "123456789012/eu-central-1/shop".parse().unwrap()
    }

    fn draft(data: serde_json::Value) -> Draft {
        Draft {
            id: EventId::from_parts(1, 2),
            deployment: Some(DeploymentNumber(17)),
            type_name: "DigestPushed".into(),
            type_version: 1,
            settles: Some(EventId::from_parts(1, 1)),
            at: "2026-11-23T10:00:00.1234567Z".parse().unwrap(),
            actor: Actor { user: "ada".into(), host: "engine".into(), ci_run: None },
            data,
        }
    }

    #[test]
    fn the_stored_form_is_this_line() {
        let stored = draft(json!({"b": 1, "a": "x"})).store(&stream(), 1, EventHash::NONE).unwrap();
        let expected = concat!(
            r#"{"format":1,"id":"00000000010000000000000002","stream":"123456789012/eu-central-1/shop","#,
            r#""sequence":1,"deployment":17,"type":"DigestPushed","type_version":1,"#,
            r#""settles":"00000000010000000000000001","at":"2026-11-23T10:00:00.123Z","#,
            r#""actor":{"user":"ada","host":"engine","ci_run":null},"tool":"surefoot 0.1.0","#,
            r#""data":{"a":"x","b":1},"#,
            r#""prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#
        );
        assert_eq!(String::from_utf8_lossy(stored.bytes()), expected);
        assert_eq!(stored.hash(), EventHash::of(expected.as_bytes()));
    }

    #[test]
    fn an_event_reads_as_it_was_written_whatever_the_text_holds() {
        for text in
            ["", "\n\r\0", "\u{1b}[31m", "\u{202e}evil", "</script>", "\"\\", "🚢é", "\u{fffd}"]
        {
            let draft = draft(json!({ text: [text, null, 1.5, -3, u64::MAX] }));
            let stored = draft.store(&stream(), 1, EventHash::NONE).unwrap();
            assert!(!stored.bytes().contains(&b'\n'));
            let again = StoredEvent::parse(stored.bytes().to_vec()).unwrap();
            assert_eq!(again, stored);
            assert_eq!(again.envelope().unwrap().data, draft.data, "{text:?}");
            assert!(draft.is(&again));
        }
    }

    #[test]
    fn an_event_over_the_limit_or_nested_too_deep_is_refused() {
        let stored = |data| draft(data).store(&stream(), 1, EventHash::NONE);
        let room = LARGEST_EVENT - stored(json!("")).unwrap().bytes().len();
        assert!(stored(json!("x".repeat(room))).is_ok());
        let refused = stored(json!("x".repeat(room + 1))).unwrap_err();
        assert_eq!(refused, Unstorable::TooLarge(LARGEST_EVENT + 1));
        let deep = (0..500).fold(json!(1), |inside, _| json!([inside]));
        assert!(matches!(stored(deep), Err(Unstorable::Unreadable(_))));
    }

    #[test]
    fn another_draft_is_not_what_is_stored() {
        let stored = draft(json!(1)).store(&stream(), 1, EventHash::NONE).unwrap();
        assert!(draft(json!(1)).is(&stored));
        assert!(!draft(json!(2)).is(&stored));
    }

    #[test]
    fn a_newer_format_keeps_its_place_in_the_chain_but_has_no_envelope() {
        let prev = EventHash::NONE;
        let line = format!(
            r#"{{"format":2,"id":"{}","stream":"{}","sequence":1,"prev":"{prev}","news":1}}"#,
            EventId::from_parts(1, 1),
            stream()
        );
        let stored = StoredEvent::parse(line.into_bytes()).unwrap();
        assert_eq!((stored.format(), stored.envelope()), (2, None));
        assert_eq!(stored.check_place(&stream(), 1, prev), Ok(()));
        assert_eq!(stored.check_place(&stream(), 2, prev), Err(Damage::Sequence(1)));
        let other = EventHash::of(b"");
        assert_eq!(stored.check_place(&stream(), 1, other), Err(Damage::Chain));
    }

    #[test]
    fn bytes_that_are_no_event_are_damage() {
        for bytes in ["", "{}", "null", "{\"format\":1}", "\u{0}", "[[[[["] {
            let parsed = StoredEvent::parse(bytes.into());
            assert!(matches!(parsed, Err(Damage::Unreadable(_))), "{bytes:?}");
        }
    }
}
