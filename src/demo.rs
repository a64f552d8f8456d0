//! The project that `surefoot demo` deploys: a small real web application and its three releases.

use std::io;
use std::path::Path;

/// The application, a static Linux program built from `demo/app.rs`; empty where the machine that
/// built surefoot could not link statically.
pub const APPLICATION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo-app"));

/// The service, and its repository.
pub const SERVICE: &str = "demo-shop";

const DOCKERFILE: &str = "FROM scratch
COPY app app.conf index.html health.json /
EXPOSE 8080
CMD [\"/app\"]
";

const CONFIGURATION: &str = "# Every key is in docs/configuration.md.
service_name = \"demo-shop\"
ecr_repository = \"demo-shop\"

[service]
port = 8080

[health]
path = \"/healthz\"

[health.assert]
status = \"ok\"
";

const HEALTH: &str = "{\"status\": \"ok\"}\n";

/// A release: what its author says, and the file that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The commit's message.
    pub says: &'static str,
    /// The file that changes.
    pub file: &'static str,
    /// Its new content.
    pub content: &'static str,
}

/// The three releases: a good one, a better one, and one that nobody should have made.
pub const RELEASES: [Release; 3] = [
    Release { says: "Open the shop", file: "index.html", content: "<h1>The shop is open</h1>\n" },
    Release {
        says: "Sell tea",
        file: "index.html",
        content: "<h1>The shop is open, and there is tea</h1>\n",
    },
    Release { says: "Tidy up the configuration", file: "app.conf", content: "port = 9090\n" },
];

/// Writes the project without any release of it.
pub fn write(folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join("Dockerfile"), DOCKERFILE)?;
    std::fs::write(folder.join("surefoot.toml"), CONFIGURATION)?;
    std::fs::write(folder.join("health.json"), HEALTH)?;
    std::fs::write(folder.join("app.conf"), "# port = 8080\n")?;
    std::fs::write(folder.join("index.html"), "\n")?;
    let application = folder.join("app");
    std::fs::write(&application, APPLICATION)?;
    make_executable(&application)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}
