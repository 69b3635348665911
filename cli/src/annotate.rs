//! `dapr annotate`: adds the annotations of the sidecar to a workload of a
//! Kubernetes manifest, and prints the manifest.
//!
//! One workload a run, because the flags are about one app: the first that
//! matches. What is not changed is printed as it was read.

mod documents;
mod fetch;
mod flags;
mod input;
mod workload;

use documents::{DocumentError, Documents};
use flags::Annotations;
use input::InputError;
use workload::Target;

use crate::Cli;
use crate::args::Parsed;
use crate::commands::Command;

pub(crate) const COMMAND: Command = Command {
    name: "annotate",
    usage: "annotate FILE|DIRECTORY|URL|-",
    about: "Add Dapr annotations to a Kubernetes configuration.",
    example: "# The first workload that kubectl prints\n\
              kubectl get deploy -l app=node -o yaml | dapr annotate -k --app-port 3000 - | kubectl apply -f -\n\n\
              # Several workloads, one after the other\n\
              cat apps.yaml | dapr annotate -k -r nodeapp - | dapr annotate -k -r pythonapp - | kubectl apply -f -\n\n\
              # One workload by name and namespace, of a file, a directory or a URL\n\
              dapr annotate -k -r nodeapp -n shop --app-id nodeapp deploy/ | kubectl apply -f -\n\n\
              # Without --app-id the app id is <namespace>-<kind>-<name>\n",
    flags: flags::FLAGS,
    run,
};

#[derive(Debug, thiserror::Error)]
enum AnnotateError {
    #[error("annotate command is only supported for Kubernetes, please provide the -k flag")]
    NotKubernetes,
    #[error("please specify a Kubernetes resource file")]
    NoInput,
    #[error("please specify one Kubernetes resource file, directory or URL, not {0}")]
    SeveralInputs(usize),
    #[error("--resource is required when --namespace is provided.")]
    NamespaceAlone,
    #[error(transparent)]
    Flag(#[from] flags::FlagError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("error reading {name}: {source}")]
    Document { name: String, source: DocumentError },
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    match annotate(parsed) {
        Ok(documents) => {
            if !documents.annotated {
                cli.console
                    .warning_err("no workload to annotate was found, the input is unchanged");
            }
            cli.console.data(documents.text.as_bytes())
        }
        Err(error) => {
            cli.console.failure(&error.to_string());
            1
        }
    }
}

/// The whole output, so that nothing is printed when the end of the input is
/// in error.
fn annotate(parsed: &Parsed) -> Result<Documents, AnnotateError> {
    if !parsed.bool("kubernetes") {
        return Err(AnnotateError::NotKubernetes);
    }
    let from = match parsed.words() {
        [] => return Err(AnnotateError::NoInput),
        [from] => from,
        several => return Err(AnnotateError::SeveralInputs(several.len())),
    };
    let target = Target {
        name: parsed.text("resource"),
        namespace: parsed.text("namespace"),
    };
    if target.name.is_empty() && !target.namespace.is_empty() {
        return Err(AnnotateError::NamespaceAlone);
    }
    let annotations = Annotations::new(parsed)?;
    let mut documents = Documents::default();
    for input in input::read(from)? {
        documents
            .add(&input.text, &target, &annotations)
            .map_err(|source| AnnotateError::Document {
                name: input.name,
                source,
            })?;
    }
    Ok(documents)
}
