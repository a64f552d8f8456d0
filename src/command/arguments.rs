//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    #[arg(long, global = true, value_name = "NAME", visible_alias = "service")]
    pub service_name: Option<String>,
    /// The AWS region [`AWS_REGION`; else surefoot.toml; else the AWS profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The ECR repository [`ECR_REPOSITORY`; else surefoot.toml; else the directory's name]
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
    /// Say that the release of a deployment is bad, or good
    Mark(Mark),
    /// What the journal and AWS say about the service
    Status(Status),
    /// The deployments of the service
    History(History),
    /// One deployment as a story
    Show(Show),
    /// How deploying goes: frequency, failures, time to restore, lead time, step durations
    Stats(Stats),
    /// Prove again that the release that should be live is
    Verify(Verify),
    /// The logs of the service
    Logs(Logs),
    /// Delete images that nothing needs; shows them, unless told to do it
    Prune(Prune),
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

impl Command {
    /// Whether it starts no work of its own beside a question.
    pub fn runs_on_one_thread(&self) -> bool {
        matches!(self, Self::Status(_)) || matches!(self, Self::History(_)) || self.asks_only()
    }

    /// Whether it only reads, once, and ends.
    pub fn asks_only(&self) -> bool {
        match self {
            Self::Status(status) => !status.watch,
            Self::History(history) => history.html.is_none(),
            Self::Journal(journal) => journal.command.asks_only(),
            Self::Show(_) | Self::Stats(_) | Self::Completions { .. } => true,
            _ => false,
        }
    }
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
    /// Failed assertions about `dependencies.…` warn instead of failing (`ALLOW_MISSING_DEPS`)
    #[arg(long)]
    pub allow_missing_deps: bool,
    /// Deploy an image that was found bad
    #[arg(long)]
    pub allow_bad: bool,
    /// Whether to wait for another deployment
    #[command(flatten)]
    pub waiting: Waiting,
    /// Find old deployment scripts and carry their settings into surefoot.toml
    #[arg(long)]
    pub cleanup_old: bool,
    /// After success delete images that no rollback needs, keeping N releases [default: 10]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10",
        value_parser = at_least_one)]
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
    #[arg(long, value_name = "TEXT", requires = "abandon")]
    pub reason: Option<String>,
    /// Whether to wait for another deployment
    #[command(flatten)]
    pub waiting: Waiting,
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
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Whether to wait for another deployment
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `surefoot mark`
#[derive(Debug, Clone, Args)]
pub struct Mark {
    /// The deployment whose release is judged, such as 17
    pub number: String,
    /// What it is: a bad one is neither deployed nor gone back to, a good one is kept
    #[arg(value_enum)]
    pub verdict: Verdict,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Whether to wait for another deployment
    #[command(flatten)]
    pub waiting: Waiting,
}

/// What a person says of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    /// Not to be deployed again
    Bad,
    /// To be kept, and fit to go back to
    Good,
}

/// Whether a command waits while another deployment holds the service.
#[derive(Debug, Clone, Default, Args)]
pub struct Waiting {
    /// Wait while another deployment holds the service, such as 10m [without DURATION: 30m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30m")]
    pub lock_wait: Option<String>,
}

/// `surefoot status`
#[derive(Debug, Clone, Default, Args)]
pub struct Status {
    /// Only what the journal says; asks nobody
    #[arg(long)]
    pub offline: bool,
    /// Go on looking, and show what changes
    #[arg(long)]
    pub watch: bool,
    /// End with 27 where the service is not as the log says, with 25 where a deployment is unfinished
    #[arg(long, conflicts_with = "watch")]
    pub exit_code: bool,
}

/// `surefoot history`
#[derive(Debug, Clone, Default, Args)]
pub struct History {
    /// How many; 0 for all [default: 20; all on a page]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = how_many)]
    pub number: Option<usize>,
    /// Only those with this verdict, such as live, failed or rolled-back
    #[arg(long, value_name = "VERDICT")]
    pub status: Option<String>,
    /// Only those that began since, such as 30d or 2026-11-01
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only what the journal says; does not ask ECR what it still holds
    #[arg(long)]
    pub offline: bool,
    /// Write one self-contained page instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `surefoot stats`
#[derive(Debug, Clone, Default, Args)]
pub struct Stats {
    /// Only what began since, such as 90d or 2026-11-01 [the first deployment]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
}

/// `surefoot verify`
#[derive(Debug, Clone, Default, Args)]
pub struct Verify {}

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
#[derive(Debug, Clone, Default, Args)]
pub struct Logs {
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// How far back, such as 15m, 2d or 2026-11-01 [1h; with --deployment its beginning]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only the time of this deployment
    #[arg(long, value_name = "N")]
    pub deployment: Option<String>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<String>,
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

impl JournalCommand {
    /// Whether it only reads, and writes no file.
    pub fn asks_only(&self) -> bool {
        match self {
            Self::Verify(_) | Self::Head => true,
            Self::Export(export) => export.named_file().is_none(),
            Self::Import(_) | Self::Repair => false,
        }
    }

    /// Whether it may replace the journal.
    pub fn repairs(&self) -> bool {
        matches!(self, Self::Repair)
    }
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
    /// Where to; - is standard output, too [standard output]
    pub file: Option<PathBuf>,
    /// jsonl can be imported again; csv is for spreadsheets
    #[arg(long, default_value = "jsonl", value_parser = ["jsonl", "csv"])]
    pub format: String,
}

impl JournalExport {
    /// The file that was named, where it is not standard output.
    pub fn named_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|file| *file != Path::new("-"))
    }
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
    /// Create the roles that are missing, after asking
    #[arg(long)]
    pub fix: bool,
    /// Do not ask
    #[arg(long, requires = "fix")]
    pub yes: bool,
}

/// `surefoot prune`
#[derive(Debug, Clone, Args)]
pub struct Prune {
    /// How many rollback targets of each service are kept, beside what is live
    #[arg(long, default_value_t = 10, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub keep: u32,
    /// Delete only what was pushed longer ago than this, such as 30d
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    pub older_than: Option<String>,
    /// Never delete what was pushed within this time: a deployment may be about to use it
    #[arg(long, default_value = "2h", value_name = "AGE", allow_hyphen_values = true)]
    pub grace: String,
    /// Tags of this form may go as surefoot's own may (`*` stands for anything); may be repeated
    #[arg(long, value_name = "GLOB")]
    pub tag_pattern: Vec<String>,
    /// Keep no more of this service than what it runs, though this journal does not know its past;
    /// may be repeated
    #[arg(long, value_name = "NAME")]
    pub without_history: Vec<String>,
    /// Delete
    #[arg(long)]
    pub apply: bool,
    /// Write everything, as JSON, into this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
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

/// A number of releases that are kept: none would leave no way back.
fn at_least_one(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("give a whole number, at least 1 and at most {}", u32::MAX))
}

/// A number of rows.
fn how_many(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "give a whole number, or 0 for all".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn a_number_that_is_none_is_refused_in_our_words() {
        for (typed, words) in [
            ("prune --keep 0", "at least 1"),
            ("prune --keep -3", "at least 1"),
            ("prune --keep few", "at least 1"),
            ("deploy --prune-images=0", "at least 1"),
            ("history -n -1", "0 for all"),
            ("history -n many", "0 for all"),
        ] {
            let words_typed = ["surefoot"].into_iter().chain(typed.split(' '));
            let said = super::Arguments::try_parse_from(words_typed).unwrap_err().to_string();
            assert!(said.contains(words), "{typed}: {said}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
