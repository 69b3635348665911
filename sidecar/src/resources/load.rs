//! Configuration files: reading, merging, checking.

use std::collections::BTreeSet;
use std::fs;

use serde::de::{Deserializer, MapAccess};

use super::decode::{InPlace, Members, Object, skip};
use super::model::{Configuration, Secrets};
use super::{expand, one_line, reason};

/// Why the configuration cannot be used. One line each; the reasons are
/// upstream's where the operating system gives them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// The file is not there.
    #[error("error loading configuration: stat {path}: {reason}")]
    Stat { path: String, reason: String },
    /// The file is there and cannot be read.
    #[error("error loading configuration: read {path}: {reason}")]
    Read { path: String, reason: String },
    /// The file is not YAML of the right shape.
    #[error("error loading configuration: {path}: {reason}")]
    Decode { path: String, reason: String },
    /// Two secret scopes name the same store.
    #[error("error loading configuration: {0} storeName is repeated in secrets configuration")]
    RepeatedStore(String),
    /// A secret scope's default is neither allow nor deny.
    #[error("error loading configuration: defaultAccess {0} can be either allow or deny")]
    DefaultAccess(String),
}

impl Configuration {
    /// Loads the files in order on top of the defaults. `env` answers the
    /// variables the files refer to.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn load(
        paths: &[String],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigurationError> {
        let mut configuration = Self::unfinished();
        for path in paths {
            let text = read(path)?;
            configuration.apply(path, &expand::expand(&text, &env))?;
        }
        configuration.complete()
    }

    /// The object the operator holds, on top of the defaults.
    ///
    /// # Errors
    /// It is no Configuration, or one that cannot be used.
    pub(crate) fn from_operator(
        name: &str,
        object: &serde_json::Value,
    ) -> Result<Self, ConfigurationError> {
        let mut configuration = Self::unfinished();
        object
            .deserialize_option(Object(&mut Document {
                spec: &mut configuration,
            }))
            .map_err(|error| ConfigurationError::Decode {
                path: name.to_owned(),
                reason: error.to_string(),
            })?;
        configuration.complete()
    }

    fn complete(mut self) -> Result<Self, ConfigurationError> {
        self.secrets.as_ref().map_or(Ok(()), Secrets::check)?;
        self.finish();
        Ok(self)
    }

    /// Decodes the first document of `text` on top of what is there.
    fn apply(&mut self, path: &str, text: &str) -> Result<(), ConfigurationError> {
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::with_deserializer_from_str_with_options(
            first_document(text),
            options,
            |deserializer| deserializer.deserialize_option(Object(&mut Document { spec: self })),
        )
        .map_err(|error| ConfigurationError::Decode {
            path: path.to_owned(),
            reason: one_line(&error),
        })
    }
}

fn read(path: &str) -> Result<String, ConfigurationError> {
    fs::metadata(path).map_err(|error| ConfigurationError::Stat {
        path: path.to_owned(),
        reason: reason(&error),
    })?;
    let unreadable = |reason| ConfigurationError::Read {
        path: path.to_owned(),
        reason,
    };
    let bytes = fs::read(path).map_err(|error| unreadable(reason(&error)))?;
    String::from_utf8(bytes).map_err(|_| unreadable("not valid UTF-8".to_owned()))
}

/// A marker in the first column always separates documents, whatever the
/// lines around it are; only comments may precede the first.
fn first_document(text: &str) -> &str {
    let mut started = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marker = ["---", "..."].iter().any(|marker| {
            let rest = line.strip_prefix(marker);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        });
        if marker && started {
            return text.get(..at).unwrap_or(text);
        }
        let content = line.trim_start();
        started |= marker || !(content.is_empty() || content.starts_with(['#', '%']));
        at += line.len();
    }
    text
}

/// The object around the part that counts.
struct Document<'a> {
    spec: &'a mut Configuration,
}

impl Members for Document<'_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "spec" => map.next_value_seed(InPlace(self.spec)),
            _ => skip(map),
        }
    }
}

impl Secrets {
    fn check(&self) -> Result<(), ConfigurationError> {
        let mut stores = BTreeSet::new();
        for scope in &self.scopes {
            if !stores.insert(&scope.store_name) {
                return Err(ConfigurationError::RepeatedStore(scope.store_name.clone()));
            }
            let access = &scope.default_access;
            let known = ["", "allow", "deny"];
            if !known.iter().any(|known| access.eq_ignore_ascii_case(known)) {
                return Err(ConfigurationError::DefaultAccess(access.clone()));
            }
        }
        Ok(())
    }
}
