//! Keys nobody knows. They are ignored, as by upstream, but one that looks
//! like a known key was meant to be it.

use std::fmt;

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{Entry, reading};
use crate::commands::distance;

const TOP: &[&str] = &["version", "name", "common", "apps"];

/// Keys of apps that this program does not read: they are for clusters.
const FOR_CLUSTERS: &[&str] = &["containerImage", "createService"];

/// Keys that say nothing in the common part.
const OF_ONE_APP: &[&str] = &[
    "appDirPath",
    "appID",
    "command",
    "appPort",
    "daprHTTPPort",
    "daprGRPCPort",
    "daprInternalGRPCPort",
    "metricsPort",
    "profilePort",
    "appChannelAddress",
    "unixDomainSocket",
    "containerImage",
    "containerImagePullPolicy",
    "createService",
];

/// The keys of a map.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = entries.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

/// One line for each key that is ignored though it was hardly meant to be.
pub(super) fn ignored(text: &str) -> Vec<String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Parts {
        common: Option<Keys>,
        apps: Option<Vec<Keys>>,
    }
    let top: Option<Keys> = first(text);
    let Parts { common, apps } = first(text).unwrap_or_default();
    let known = [fields(), FOR_CLUSTERS].concat();
    let mut lines = Vec::new();
    if let Some(keys) = &top {
        lines.extend(misspelt(keys, TOP, "at the top"));
    }
    if let Some(keys) = &common {
        lines.extend(misspelt(keys, &known, "under common"));
        let misplaced = keys
            .0
            .iter()
            .filter(|key| OF_ONE_APP.contains(&key.as_str()));
        lines.extend(
            misplaced
                .map(|key| format!("{key:?} under common is ignored: it belongs to each app.")),
        );
    }
    for (at, keys) in apps.iter().flatten().enumerate() {
        lines.extend(misspelt(keys, &known, &format!("of app {}", at + 1)));
    }
    lines
}

/// What the first document says, as far as it can be read.
fn first<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let mut input = text.as_bytes();
    serde_saphyr::read_with_options::<_, T>(&mut input, reading::options())
        .next()?
        .ok()
}

fn misspelt(keys: &Keys, known: &[&str], place: &str) -> Vec<String> {
    keys.0
        .iter()
        .filter(|key| !known.contains(&key.as_str()))
        .filter_map(|key| {
            let meant = nearest(key, known)?;
            Some(format!(
                "{key:?} {place} is not known and is ignored. Did you mean {meant:?}?"
            ))
        })
        .collect()
}

/// The known key that differs by its letters' case, its dashes, or two letters
/// at most.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |key: &str| key.to_lowercase().replace(['-', '_'], "");
    let typed = plain(key);
    let far = |one: &&str| distance(&typed, &plain(one));
    let nearest = known.iter().copied().min_by_key(far)?;
    // Short words are near to everything.
    (far(&nearest) <= typed.len().min(8) / 4).then_some(nearest)
}

/// The keys that [`Entry`] reads.
fn fields() -> &'static [&'static str] {
    struct Probe<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Probe<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("no value"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("no value"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    // Only the question matters.
    let _ = Entry::deserialize(Probe(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_app_are_known() {
        let known = [fields(), FOR_CLUSTERS].concat();
        for key in OF_ONE_APP {
            assert!(known.contains(key), "{key}");
        }
        assert!(known.len() > 35);
    }

    #[test]
    fn likely_mistakes_are_told() {
        let text = "
Version: 1
x-shared: &shared {appid: ignored}
common: {appPort: 1, enableAPIlogging: true, labels: {}}
apps:
- {appDirPath: ., appId: a, daprHttpPort: 3500, resource_path: b, team: c, containerImage: d}
- <<: *shared
  comand: [x]
";
        assert_eq!(
            ignored(text),
            [
                "\"Version\" at the top is not known and is ignored. Did you mean \"version\"?",
                "\"enableAPIlogging\" under common is not known and is ignored. Did you mean \"enableApiLogging\"?",
                "\"appPort\" under common is ignored: it belongs to each app.",
                "\"appId\" of app 1 is not known and is ignored. Did you mean \"appID\"?",
                "\"daprHttpPort\" of app 1 is not known and is ignored. Did you mean \"daprHTTPPort\"?",
                "\"resource_path\" of app 1 is not known and is ignored. Did you mean \"resourcesPath\"?",
                "\"comand\" of app 2 is not known and is ignored. Did you mean \"command\"?",
                "\"appid\" of app 2 is not known and is ignored. Did you mean \"appID\"?",
            ]
        );
        assert_eq!(ignored("version: ["), [""; 0]);
    }
}
