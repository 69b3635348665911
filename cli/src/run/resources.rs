//! A look at resource directories before anything starts.
//!
//! Only what a sidecar could not make sense of is refused: directories that
//! do not exist, and two Components of one name for the same app.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::run_file::{Stat, stat};

/// Why resources cannot be used; the texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResourceError {
    #[error("error validating resources path {} : {source}", quoted(.paths))]
    Missing { paths: Vec<PathBuf>, source: Stat },
    #[error("error validating components in resources path {} : {reason}", quoted(.paths))]
    Duplicate { paths: Vec<PathBuf>, reason: String },
}

/// Go's way to print a list of texts.
fn quoted(paths: &[PathBuf]) -> String {
    let all: Vec<String> = paths
        .iter()
        .map(|path| format!("{:?}", path.display().to_string()))
        .collect();
    format!("[{}]", all.join(" "))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    kind: Option<String>,
    metadata: Metadata,
    spec: Option<Spec>,
    scopes: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "type")]
    kind: Option<String>,
    version: Option<String>,
}

/// # Errors
/// A directory does not exist, or two Components in them have one name.
pub(super) fn check(paths: &[PathBuf], app_id: &str) -> Result<(), ResourceError> {
    for path in paths {
        stat(path).map_err(|source| ResourceError::Missing {
            paths: paths.to_vec(),
            source,
        })?;
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for component in paths.iter().flat_map(|path| components(path)) {
        if !component.concerns(app_id) {
            continue;
        }
        let name = component.metadata.name.clone().unwrap_or_default();
        let shown = component.shown();
        if let Some(existing) = seen.get(&name) {
            return Err(ResourceError::Duplicate {
                paths: paths.to_vec(),
                reason: format!(
                    "duplicate definition of Component name {shown} with existing {existing}"
                ),
            });
        }
        seen.insert(name, shown);
    }
    Ok(())
}

impl Component {
    fn concerns(&self, app_id: &str) -> bool {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        scopes.is_empty() || scopes.iter().any(|scope| scope == app_id)
    }

    fn shown(&self) -> String {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        let spec = self.spec.as_ref();
        let kind = spec
            .and_then(|spec| spec.kind.as_deref())
            .unwrap_or_default();
        let version = spec
            .and_then(|spec| spec.version.as_deref())
            .unwrap_or_default();
        format!("{name} ({kind}/{version})")
    }
}

/// One line for each file that is not YAML: the sidecar goes on without what
/// it was to say.
pub(super) fn unreadable(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .flat_map(|path| files(path))
        .filter_map(|file| {
            let text = fs::read_to_string(&file).ok()?;
            let mut input = text.as_bytes();
            let options = serde_saphyr::options! { with_snippet: false };
            let error = serde_saphyr::read_with_options::<_, IgnoredAny>(&mut input, options)
                .find_map(Result::err)?;
            Some(format!("{} is ignored: {error}", file.display()))
        })
        .collect()
}

/// The YAML files of a directory, or the one file.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    };
    files.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml"))
    });
    files.sort();
    files
}

/// The Components in the YAML files of a directory, or in one file. Whatever
/// is not a Component is ignored: the sidecar reports on it.
fn components(path: &Path) -> Vec<Component> {
    files(path)
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| {
            let mut input = text.as_bytes();
            let all: Vec<Component> = serde_saphyr::read::<_, Component>(&mut input)
                .map_while(Result::ok)
                .collect();
            all
        })
        .filter(|component| component.kind.as_deref() == Some("Component"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str =
        "kind: Component\nmetadata: {name: a}\nspec: {type: state.redis, version: v1}\n";

    #[test]
    fn two_components_of_one_name_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().to_owned()];
        fs::write(directory.path().join("a.yaml"), STORE).unwrap();
        fs::write(directory.path().join("b.txt"), STORE).unwrap();
        fs::write(directory.path().join("bad.yaml"), ":\n\t{").unwrap();
        fs::write(
            directory.path().join("r.yml"),
            STORE.replace("Component", "Resiliency"),
        )
        .unwrap();
        fs::write(
            directory.path().join("s.yaml"),
            format!("{STORE}scopes: [other]\n---\nkind: Component\nmetadata: {{name: b}}\n"),
        )
        .unwrap();
        check(&paths, "cart").unwrap();
        let told = unreadable(&paths);
        let start = format!("{}/bad.yaml is ignored: ", directory.path().display());
        assert!(told.len() == 1 && told[0].starts_with(&start), "{told:?}");
        let error = check(&paths, "other").unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "error validating components in resources path [{:?}] : duplicate definition of \
                 Component name a (state.redis/v1) with existing a (state.redis/v1)",
                directory.path()
            )
        );
    }

    #[test]
    fn a_missing_directory_is_named() {
        let paths = [PathBuf::from("/nope/a"), PathBuf::from("/nope/b")];
        assert_eq!(
            check(&paths, "cart").unwrap_err().to_string(),
            r#"error validating resources path ["/nope/a" "/nope/b"] : stat /nope/a: no such file or directory"#
        );
    }
}
