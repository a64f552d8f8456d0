//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Deploys a container image to AWS App Runner so that it can be interrupted anywhere.
#[derive(Debug, Parser)]
#[command(name = "surefoot", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Everywhere {
    /// The App Runner service [`SERVICE_NAME`; else surefoot.toml; else the directory's name]
    #[arg(long, global = true, value_name = "NAME")]
    pub service_name: Option<String>,
    /// The AWS region [`AWS_REGION`; else surefoot.toml; else the AWS profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The ECR repository [`ECR_REPOSITORY`; else surefoot.toml; else the service's name]
    #[arg(long, global = true, value_name = "NAME")]
    pub ecr_repo: Option<String>,
    /// One of the [env.NAME] sections of surefoot.toml
    #[arg(long = "env", global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Where the journal is [.deploy-history at the root of the git tree]
    #[arg(long, global = true, value_name = "DIR")]
    pub history_dir: Option<PathBuf>,
    /// Print JSON on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, push, create or update the service, prove it, and roll back by itself
    Deploy(Deploy),
    /// Go on with an unfinished deployment
    Resume(Resume),
    /// Go back to the last good release, or to the one of a deployment
    Rollback(Rollback),
    /// What the journal and AWS say about the service
    Status(Status),
    /// The deployments of the service
    History(History),
    /// One deployment as a story
    Show(Show),
    /// The logs of the service
    Logs(Logs),
    /// The journal itself: verify, export, import, head, repair
    Journal(Journal),
    /// Check everything that would make a deployment fail later
    Preflight(Preflight),
    /// An App Runner on this machine: no AWS account, real containers where Docker is
    Sandbox(Sandbox),
    /// Three deployments in a sandbox: one good, one better, one bad
    Demo(Demo),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `surefoot deploy`
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "these are flags on a command line")]
pub struct Deploy {
    /// Deploy an image that is in ECR already (REPOSITORY:TAG, REPOSITORY@DIGEST, or a tag), without Docker
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
    /// Deploy what `latest` names in ECR now, by its digest
    #[arg(long, conflicts_with = "image")]
    pub force_latest: bool,
    /// Start a deployment even where nothing but our mark changes (secrets are read again)
    #[arg(long)]
    pub force_restart: bool,
    /// Print the steps and the exact requests, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show the application's log while waiting
    #[arg(long)]
    pub tail: bool,
    /// Deploy a commit although the live one is newer
    #[arg(long)]
    pub allow_older: bool,
    /// Find old deployment scripts and carry their settings into surefoot.toml
    #[arg(long)]
    pub cleanup_old: bool,
    /// After success delete images that no rollback needs, keeping N releases [default: 10]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub prune_images: Option<u32>,
    /// How long App Runner may take, such as 45m
    #[arg(long, value_name = "DURATION")]
    pub deploy_timeout: Option<String>,
    /// How long one health request may take, such as 10s
    #[arg(long, value_name = "DURATION")]
    pub health_timeout: Option<String>,
    /// How many health requests may fail
    #[arg(long, value_name = "N")]
    pub health_retries: Option<String>,
}

/// `surefoot resume`
#[derive(Debug, Clone, Default, Args)]
pub struct Resume {
    /// The deployment [the unfinished one]
    pub number: Option<String>,
    /// Go back to the release before it instead
    #[arg(long, conflicts_with = "abandon")]
    pub rollback: bool,
    /// Close it without touching AWS
    #[arg(long, requires = "reason")]
    pub abandon: bool,
    /// Why it is closed
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `surefoot rollback`
#[derive(Debug, Clone, Default, Args)]
pub struct Rollback {
    /// The deployment whose release it shall be [the last good one before the live one]
    pub number: Option<String>,
    /// The release with this image
    #[arg(long, value_name = "DIGEST", conflicts_with = "number")]
    pub to: Option<String>,
    /// Show what can be gone back to, and whether ECR still holds it
    #[arg(long)]
    pub list: bool,
    /// Print the steps and the exact request, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only the image; the configuration stays as it is now
    #[arg(long)]
    pub image_only: bool,
}

/// `surefoot status`
#[derive(Debug, Clone, Default, Args)]
pub struct Status {
    /// Only what the journal says; asks nobody
    #[arg(long)]
    pub offline: bool,
}

/// `surefoot history`
#[derive(Debug, Clone, Args)]
pub struct History {
    /// How many; 0 for all
    #[arg(short, long, default_value_t = 20, value_name = "N")]
    pub number: usize,
}

/// `surefoot show`
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The deployment, such as 17
    pub number: String,
    /// Every event, as it is stored
    #[arg(long)]
    pub events: bool,
}

/// `surefoot logs`
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// How far back, such as 1h
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub since: String,
    /// Which log: of the application, of App Runner, or both
    #[arg(long, default_value = "both", value_parser = ["app", "service", "both"])]
    pub source: String,
}

/// `surefoot journal`
#[derive(Debug, Clone, Args)]
pub struct Journal {
    /// What to do with it.
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// The commands of the journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// Check every hash, every chain and every index; name the first bad event
    Verify(JournalVerify),
    /// Write every event, as JSON lines that can be imported or as a table; no environment value
    Export(JournalExport),
    /// Take over the events of an export; twice is once, and another history is refused
    Import(JournalImport),
    /// Print where every stream ends: an anchor for a CI log
    Head,
    /// Move a damaged journal aside and bring it back from its export
    Repair,
}

/// `surefoot journal verify`
#[derive(Debug, Clone, Default, Args)]
pub struct JournalVerify {
    /// A line that `journal head` printed before: the journal must still contain it
    #[arg(long, value_name = "LINE")]
    pub anchor: Vec<String>,
}

/// `surefoot journal export`
#[derive(Debug, Clone, Args)]
pub struct JournalExport {
    /// Where to [standard output]
    pub file: Option<PathBuf>,
    /// jsonl can be imported again; csv is for spreadsheets
    #[arg(long, default_value = "jsonl", value_parser = ["jsonl", "csv"])]
    pub format: String,
}

/// `surefoot journal import`
#[derive(Debug, Clone, Args)]
pub struct JournalImport {
    /// An export: a file, or a directory such as .deploy-history/export
    pub file: PathBuf,
}

/// `surefoot preflight`
#[derive(Debug, Clone, Default, Args)]
pub struct Preflight {
    /// As for `deploy --image`: needs no Docker
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
}

/// `surefoot sandbox`
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// How many times faster than real life
    #[arg(long, default_value_t = 60, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub speed: u32,
    /// Keep the world in this directory over restarts, ports included
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// What runs containers: docker, embedded, or auto
    #[arg(long, default_value = "auto", value_parser = ["auto", "docker", "embedded"])]
    pub engine: String,
    /// Decide what is unconfirmed about AWS, such as rollback-ends=failed
    #[arg(long, value_name = "NAME=VALUE")]
    pub switch: Vec<String>,
    /// Run this inside the sandbox, and end with it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `surefoot demo`
#[derive(Debug, Clone, Default, Args)]
pub struct Demo {
    /// What runs containers: docker, embedded, or auto
    #[arg(long, default_value = "auto", value_parser = ["auto", "docker", "embedded"])]
    pub engine: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
