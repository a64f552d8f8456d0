//! Logins for the registries that base images come from, as `docker login` left them.
//!
//! Only registries that the Dockerfile or a build argument names are asked for, so that no
//! credential store opens for a build that has nothing to do with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::address::Surroundings;

/// Docker Hub's name in Docker's configuration.
const HUB: &str = "https://index.docker.io/v1/";
/// How long a credential store may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Logins by registry, and what could not be had.
#[derive(Debug, Default)]
pub(super) struct BaseLogins {
    /// For the client library.
    pub(super) known: HashMap<String, DockerCredentials>,
    /// For a person: why a login is missing.
    pub(super) missing: Vec<String>,
}

/// The part of Docker's `config.json` that is about logins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    auths: BTreeMap<String, Stored>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    auth: String,
    identitytoken: String,
}

/// What a credential store answers. Source: docker/docker-credential-helpers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The logins for the registries named in `texts`.
pub(super) async fn for_registries_in(surroundings: &Surroundings, texts: &[String]) -> BaseLogins {
    let Some(configuration) = read(surroundings) else { return BaseLogins::default() };
    let mut logins = BaseLogins::default();
    for server in configuration.servers() {
        let host = host(&server);
        if server != HUB && !texts.iter().any(|text| text.contains(host)) {
            continue;
        }
        let key = if server == HUB { HUB } else { host }.to_owned();
        match configuration.login(surroundings, &server).await {
            Ok(Some(login)) => drop(logins.known.insert(key, login)),
            Ok(None) => {}
            Err(reason) => logins.missing.push(format!("no login for {host}: {reason}")),
        }
    }
    logins
}

fn read(surroundings: &Surroundings) -> Option<Configuration> {
    let file = surroundings.configuration()?.join("config.json");
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// A server without scheme and path.
fn host(server: &str) -> &str {
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    bare.split('/').next().unwrap_or(bare)
}

impl Configuration {
    fn servers(&self) -> BTreeSet<String> {
        self.auths.keys().chain(self.cred_helpers.keys()).cloned().collect()
    }

    async fn login(
        &self,
        surroundings: &Surroundings,
        server: &str,
    ) -> Result<Option<DockerCredentials>, String> {
        let store = self.cred_helpers.get(server).or(self.creds_store.as_ref());
        match (store, self.auths.get(server)) {
            (Some(store), _) => ask(surroundings, store, server).await.map(Some),
            (None, Some(stored)) => stored.login(server),
            (None, None) => Ok(None),
        }
    }
}

impl Stored {
    fn login(&self, server: &str) -> Result<Option<DockerCredentials>, String> {
        if self.auth.is_empty() {
            return Ok(None);
        }
        let text = STANDARD.decode(&self.auth).ok().and_then(|text| String::from_utf8(text).ok());
        let (user, password) = text
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .ok_or("config.json holds no user and password")?;
        Ok(Some(login(server, user, password.trim_end_matches('\0'), &self.identitytoken)))
    }
}

fn login(server: &str, user: &str, password: &str, token: &str) -> DockerCredentials {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    DockerCredentials {
        username: text(user),
        password: text(password),
        identitytoken: text(token),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }
}

/// Asks `docker-credential-STORE`. Its words on failure may carry anything: only its name is told.
async fn ask(
    surroundings: &Surroundings,
    store: &str,
    server: &str,
) -> Result<DockerCredentials, String> {
    let program = format!("docker-credential-{store}");
    let failed = |how: &str| format!("{program} {how}");
    let mut process = Command::new(&program)
        .arg("get")
        .env_clear()
        .envs(&surroundings.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("cannot be run ({})", error.kind())))?;
    let answered = async {
        let mut question = process.stdin.take()?;
        question.write_all(server.as_bytes()).await.ok()?;
        drop(question);
        process.wait_with_output().await.ok()
    };
    let output = tokio::time::timeout(PATIENCE, answered)
        .await
        .map_err(|_| failed("does not answer"))?
        .filter(|output| output.status.success())
        .ok_or_else(|| failed("has none"))?;
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|_| failed("answers no login"))?;
    Ok(match answer.username.as_str() {
        "<token>" => login(server, "", "", &answer.secret),
        user => login(server, user, &answer.secret, ""),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn home(configuration: &serde_json::Value) -> (tempfile::TempDir, Surroundings) {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.json"), configuration.to_string()).unwrap();
        let helper = home.path().join("docker-credential-test");
        let script = "#!/bin/sh\nread server\n[ \"$server\" = bad.example ] && exit 1\n\
                      printf '{\"ServerURL\":\"%s\",\"Username\":\"%s\",\"Secret\":\"s3\"}' \
                      \"$server\" \"${NAME:-user-of-$server}\"\n";
        fs::write(&helper, script).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        let path = home.path().to_str().unwrap();
        let variables =
            [("DOCKER_CONFIG", path.to_owned()), ("PATH", format!("{path}:/usr/bin:/bin"))];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        (home, Surroundings { variables, user: None, root: "/".into() })
    }

    #[tokio::test]
    async fn stored_logins_are_read_for_the_registries_named() {
        let auth = STANDARD.encode("me:p:w");
        let (_home, surroundings) = home(&serde_json::json!({"auths": {
            "r.example": {"auth": auth}, "https://other.example/v1/": {"auth": auth},
            "silent.example": {"auth": auth}, "broken.example": {"auth": "%"},
            HUB: {"auth": auth, "identitytoken": "t"},
        }}));
        let texts =
            ["FROM r.example/a\nFROM broken.example/b".to_owned(), "other.example".to_owned()];
        let logins = for_registries_in(&surroundings, &texts).await;
        let mut known: Vec<&str> = logins.known.keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(known, [HUB, "other.example", "r.example"]);
        let login = &logins.known["r.example"];
        assert_eq!(login.username.as_deref(), Some("me"));
        assert_eq!(login.password.as_deref(), Some("p:w"));
        assert_eq!(logins.known[HUB].identitytoken.as_deref(), Some("t"));
        let expected = "no login for broken.example: config.json holds no user and password";
        assert_eq!(logins.missing, [expected]);
    }

    #[tokio::test]
    async fn credential_stores_are_asked() {
        let (_home, mut surroundings) = home(&serde_json::json!({
            "auths": {"stored.example": {}},
            "credsStore": "test",
            "credHelpers": {"ecr.example": "test", "bad.example": "test", "no.example": "absent"},
        }));
        surroundings.variables.insert("NAME".into(), String::new());
        let texts = ["stored.example ecr.example bad.example no.example".to_owned()];
        let logins = for_registries_in(&surroundings, &texts).await;
        let user = |host: &str| logins.known.get(host)?.username.clone();
        assert_eq!(user("stored.example").as_deref(), Some("user-of-stored.example"));
        assert_eq!(user("ecr.example").as_deref(), Some("user-of-ecr.example"));
        assert_eq!(
            logins.missing,
            [
                "no login for bad.example: docker-credential-test has none",
                "no login for no.example: docker-credential-absent cannot be run (entity not found)",
            ]
        );
        surroundings.variables.insert("NAME".into(), "<token>".into());
        let logins = for_registries_in(&surroundings, &texts).await;
        let login = &logins.known["ecr.example"];
        assert_eq!((login.username.clone(), login.identitytoken.as_deref()), (None, Some("s3")));
    }

    #[tokio::test]
    async fn without_a_configuration_there_are_no_logins() {
        let logins = for_registries_in(&Surroundings::default(), &["r.example".into()]).await;
        assert!(logins.known.is_empty() && logins.missing.is_empty());
    }
}
