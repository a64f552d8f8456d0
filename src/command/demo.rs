//! `surefoot demo`: three deployments in a sandbox, by the very commands a person would type.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::{arguments, sandbox, trouble};
use crate::demo::{APPLICATION, RELEASES, SERVICE, write};
use crate::problem::{ExitCode, Problem};
use crate::sandbox::cloud::switches::Switches;
use crate::sandbox::session::{LEAKS, Options, Sandbox};
use crate::stop::Stop;
use crate::view::{Document, Look, View};

/// Faster than the usual sandbox: a failing release takes App Runner 20 minutes to notice.
const SPEED: u32 = 120;

/// How the three deployments must end.
const ENDS: [u8; 3] = [0, 0, 12];

/// The demonstration.
struct Stage<'a> {
    view: &'a dyn View,
    sandbox: &'a Sandbox,
    folder: PathBuf,
    program: PathBuf,
}

/// Shows it, and leaves its folder to go on with.
pub(super) async fn demo(
    arguments: &arguments::Demo,
    view: &dyn View,
    stop: Stop,
) -> Result<ExitCode, Problem> {
    if APPLICATION.is_empty() {
        return Err(no_application());
    }
    let place = place()?;
    let (folder, world) = (place.join("shop"), place.join("sandbox"));
    let made = [&folder, &world].into_iter().try_for_each(std::fs::create_dir_all);
    made.and_then(|()| write(&folder)).map_err(|error| unwritable(&place, &error))?;
    let options = Options {
        speed: SPEED,
        state: Some(world.clone()),
        engine: sandbox::engine(&arguments.engine),
        switches: Switches::default(),
        scratch: world,
    };
    let opened = sandbox::open(options).await?;
    let program = std::env::current_exe().unwrap_or_else(|_| "surefoot".into());
    let stage = Stage { view, sandbox: &opened, folder, program };
    let played = tokio::select! {
        played = stage.play() => played,
        () = stop.wait() => Ok(ExitCode::Interrupted),
    };
    let last_words = stage.last_words();
    opened.close().await;
    view.stream(&Words(&last_words));
    played
}

impl Stage<'_> {
    async fn play(&self) -> Result<ExitCode, Problem> {
        self.tell(&format!("sandbox  {}\n{}", self.sandbox.endpoint, self.sandbox.engine));
        self.git(&["init", "--quiet"]).await;
        let mut ends = Vec::new();
        for (number, release) in RELEASES.iter().enumerate() {
            std::fs::write(self.folder.join(release.file), release.content)
                .map_err(|error| unwritable(&self.folder, &error))?;
            self.tell(&format!("\nrelease {}: {}", number + 1, release.says));
            self.git(&["add", "--all"]).await;
            self.git(&["commit", "--quiet", "--message", release.says]).await;
            ends.push(self.surefoot(&["deploy"]).await?);
            self.answer().await;
        }
        self.surefoot(&["history"]).await?;
        self.surefoot(&["status"]).await?;
        if ends == ENDS {
            return Ok(ExitCode::Success);
        }
        Err(Problem::new(ExitCode::General, "demo-failed", "the demo did not end as it should")
            .because(format!("its three deployments ended with {ends:?}, not with {ENDS:?}"))
            .leaves("Nothing outside the sandbox was changed."))
    }

    /// Shows a command of ours, runs it, and says its exit code.
    async fn surefoot(&self, words: &[&str]) -> Result<u8, Problem> {
        self.tell(&format!("\n$ surefoot {}", words.join(" ")));
        let mut command = self.inside(&self.program);
        let ended = command.args(words).status().await;
        let ended = ended.map_err(|error| trouble::directory(&error))?;
        let number = sandbox::exit_number(ended);
        if number != 0 {
            self.tell(&format!("\nexit code {number}"));
        }
        Ok(number)
    }

    /// What a visitor of the shop gets now.
    async fn answer(&self) {
        let address = self.address().await.unwrap_or_default();
        let Ok(url) = url::Url::parse(&address) else { return };
        let health = crate::world::health::HttpHealth::new();
        let limits = crate::world::health::Limits {
            timeout: std::time::Duration::from_secs(5),
            body_bytes: 1024,
            redirects: 0,
        };
        let answer = crate::world::health::Health::get(&health, &url, &limits).await;
        if let crate::world::health::Response::Answered { body, .. } = answer {
            let text = String::from_utf8_lossy(&body);
            self.tell(&format!("\n$ curl {address}\n{}", text.trim_end()));
        }
    }

    /// The service's address, by surefoot's own word.
    async fn address(&self) -> Option<String> {
        let mut command = self.inside(&self.program);
        let output = command.args(["status", "--offline", "--json"]).output().await.ok()?;
        let last = String::from_utf8_lossy(&output.stdout).lines().last()?.to_owned();
        let result: serde_json::Value = serde_json::from_str(&last).ok()?;
        find_url(&result)
    }

    /// git, with an author of its own; without git the tags are times.
    async fn git(&self, words: &[&str]) {
        let mut command = self.inside(Path::new("git"));
        command
            .args(["-c", "user.name=surefoot demo", "-c", "user.email=demo@localhost"])
            .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
            .args(words)
            .stdin(Stdio::null());
        // Without git there is simply nothing to commit to.
        drop(command.status().await);
    }

    fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).envs(&self.sandbox.variables).kill_on_drop(true);
        for name in LEAKS {
            command.env_remove(name);
        }
        command
    }

    fn last_words(&self) -> String {
        let containers = if self.sandbox.real_containers {
            "Real containers ran, on Docker."
        } else {
            "No Docker: the embedded engine stood in for it."
        };
        let program = self.program.display();
        let folder = self.folder.display();
        let around = self.folder.parent().unwrap_or(&self.folder).display();
        format!(
            "\n{containers} Three deployments of {SERVICE}, the third taken back.\n\
             The project, its journal and its world stay in {around}\n\n\
             next: cd {folder}\n      \
             {program} sandbox --state ../sandbox -- sh\n      \
             {program} show 3     (in that shell; `exit` leaves the sandbox)\n"
        )
    }

    fn tell(&self, text: &str) {
        self.view.stream(&Words(&format!("{text}\n")));
    }
}

/// A few words of the demonstration.
struct Words<'a>(&'a str);

impl Document for Words<'_> {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn text(&self, _look: Look) -> String {
        self.0.to_owned()
    }

    fn json(&self) -> serde_json::Value {
        self.0.into()
    }
}

/// The first member `url` that is a text, wherever it is.
fn find_url(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Object(members) => match members.get("url") {
            Some(serde_json::Value::String(url)) => Some(url.clone()),
            _ => members.values().find_map(find_url),
        },
        serde_json::Value::Array(items) => items.iter().find_map(find_url),
        _ => None,
    }
}

fn place() -> Result<PathBuf, Problem> {
    let made = tempfile::Builder::new().prefix("surefoot-demo-").tempdir();
    // Kept: the newcomer goes on in it.
    made.map(tempfile::TempDir::keep).map_err(|error| unwritable(&std::env::temp_dir(), &error))
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Problem {
    let what = format!("cannot write the demo's project in {}", folder.display());
    Problem::new(ExitCode::General, "no-scratch", what)
        .caused_by(error)
        .hint("set TMPDIR to a folder that this user can write")
}

fn no_application() -> Problem {
    let what = "this surefoot was built without the demo's application";
    Problem::new(ExitCode::General, "demo-without-application", what)
        .because(
            "it must be linked statically for linux/amd64, which the building machine could not",
        )
        .hint("build surefoot on x86_64 Linux, or try a project of your own: `surefoot sandbox`")
}
