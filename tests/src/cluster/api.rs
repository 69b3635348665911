//! An API server as its administrator sees it: `kubectl` for what is written,
//! plain HTTP through `kubectl proxy` for what is asked again and again.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{assets, kept};
use crate::client::{Request, Response};
use crate::ports::reserve;
use crate::process::Process;
use crate::wait::within;

/// It is the slowest to start, mostly on a machine that compiles beside it.
pub(super) const STARTING: Duration = Duration::from_mins(1);

/// Full access to an API server.
#[derive(Debug)]
pub struct Api {
    kubeconfig: PathBuf,
    proxy: Process,
    port: u16,
}

/// What `kubectl` said when it failed.
#[derive(Clone)]
pub struct Refusal(pub String);

impl Api {
    /// The cluster that this file describes.
    #[track_caller]
    pub fn new(kubeconfig: &Path) -> Self {
        let port = reserve();
        let mut command = kubectl(kubeconfig);
        command.args(["proxy", "--port", &port.to_string()]);
        let mut proxy = kept("kubectl proxy", command);
        let ready = || {
            assert!(proxy.exited().is_none(), "kubectl: {}", proxy.stderr());
            let answer = Request::get("/readyz").try_send(port).ok()?;
            (answer.status == 200).then_some(())
        };
        within(STARTING, "the API server is ready", ready);
        proxy.keep_quiet();
        Self {
            kubeconfig: kubeconfig.to_owned(),
            proxy,
            port,
        }
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Sends a request as it is; paths as in the API reference.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.port)
    }

    /// The object at this path, if there is one.
    #[track_caller]
    pub fn get(&self, path: &str) -> Option<Value> {
        let answer = self.send(&Request::get(path));
        match answer.status {
            200 => Some(answer.json()),
            404 => None,
            _ => panic!("GET {path}: {answer:?}"),
        }
    }

    /// The items of the list at this path.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let list = self
            .get(path)
            .unwrap_or_else(|| panic!("nothing at {path}"));
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Removes the object at this path, if there is one.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        let answer = self.send(&Request::new("DELETE", path));
        assert!(
            matches!(answer.status, 200 | 202 | 404),
            "DELETE {path}: {answer:?}"
        );
    }

    /// Merges `change` into the object at this path.
    #[track_caller]
    pub fn patch(&self, path: &str, change: &Value) -> Value {
        let request = Request::new("PATCH", path)
            .header("Content-Type", "application/merge-patch+json")
            .body(change.to_string());
        let answer = self.send(&request);
        assert_eq!(answer.status, 200, "PATCH {path}: {answer:?}");
        answer.json()
    }

    /// Applies YAML documents on the server's side.
    #[track_caller]
    pub fn apply(&self, yaml: &str) {
        self.feed(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            yaml,
        )
        .unwrap_or_else(|refusal| panic!("{refusal}\n{yaml}"));
    }

    /// Creates YAML documents; the first as the server keeps it.
    pub fn create(&self, yaml: &str) -> Result<Value, Refusal> {
        let text = self.feed(&["create", "-o", "json", "-f", "-"], yaml)?;
        Ok(serde_json::from_str(&text).expect("kubectl writes JSON"))
    }

    /// Creates YAML documents in the name of `namespace:account`.
    pub fn create_as(&self, account: &str, yaml: &str) -> Result<Value, Refusal> {
        let user = format!("--as=system:serviceaccount:{account}");
        let text = self.feed(&["create", "-o", "json", "-f", "-", &user], yaml)?;
        Ok(serde_json::from_str(&text).expect("kubectl writes JSON"))
    }

    /// Makes a namespace.
    #[track_caller]
    pub fn namespace(&self, name: &str) {
        self.apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
        ));
    }

    /// A token of a service account, for an audience (empty: the API server),
    /// bound to a pod where one is named.
    #[track_caller]
    pub fn token(
        &self,
        namespace: &str,
        account: &str,
        audience: &str,
        pod: Option<&str>,
    ) -> String {
        let mut spec = json!({ "expirationSeconds": 7200 });
        if !audience.is_empty() {
            spec["audiences"] = json!([audience]);
        }
        if let Some(pod) = pod {
            spec["boundObjectRef"] = json!({ "apiVersion": "v1", "kind": "Pod", "name": pod });
        }
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": spec,
        });
        let request =
            Request::post(&path, body.to_string()).header("Content-Type", "application/json");
        let answer = self.send(&request);
        assert_eq!(answer.status, 201, "POST {path}: {answer:?}");
        let token = answer.json()["status"]["token"].clone();
        token.as_str().expect("a token is text").to_owned()
    }

    /// `kubectl <arguments>`, not yet started.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = kubectl(&self.kubeconfig);
        command.args(arguments);
        command
    }

    /// The output of `kubectl <arguments>`.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Refusal> {
        let output = self.kubectl(arguments).stdin(Stdio::null()).output();
        text(&output.expect("kubectl starts"))
    }

    /// [`Self::run`] where a failure fails the test.
    #[track_caller]
    pub fn must(&self, arguments: &[&str]) -> String {
        self.run(arguments)
            .unwrap_or_else(|refusal| panic!("kubectl {}: {refusal}", arguments.join(" ")))
    }

    /// Its process; ends with the value.
    pub fn proxy(&self) -> &Process {
        &self.proxy
    }

    fn feed(&self, arguments: &[&str], input: &str) -> Result<String, Refusal> {
        let mut child = self
            .kubectl(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut pipe = child.stdin.take().expect("it is piped");
        // One that ends without reading says why itself.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        text(&child.wait_with_output().expect("it is our child"))
    }
}

fn kubectl(kubeconfig: &Path) -> Command {
    let mut command = Command::new(assets::program("kubectl"));
    command.arg("--kubeconfig").arg(kubeconfig);
    // Not into the home directory of whoever runs the tests.
    command
        .arg("--cache-dir")
        .arg(kubeconfig.with_file_name("kubectl.cache"));
    command
}

fn text(output: &Output) -> Result<String, Refusal> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Refusal(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
