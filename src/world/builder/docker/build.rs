//! Building an image.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use futures_util::StreamExt as _;

use super::base_logins::BaseLogins;
use super::connect::Connection;
use super::failure::{is_lost, lost, spoken};
use super::inspect;
use super::output::{Output, plain};
use crate::redaction::Redaction;
use crate::world::builder::context::stream::{Ended, start};
use crate::world::builder::context::{Context, PLATFORM, Sent};
use crate::world::builder::{BuildRequest, LocalImage};
use crate::world::{Place, Progress, ProgressSink, WorldError};

/// How long the last of the files may be on their way once the engine has said that it is done.
const LAST_FILES: Duration = Duration::from_secs(5);

/// How often a build is begun anew where the engine's cache changed under it.
const CACHE_PATIENCE: u32 = 3;

/// One build: what, with what, and who is told.
pub(super) struct Job<'a> {
    pub(super) connection: &'a Connection,
    pub(super) request: &'a BuildRequest,
    pub(super) name: &'a str,
    pub(super) logins: BaseLogins,
    pub(super) redaction: Redaction,
    pub(super) progress: &'a dyn ProgressSink,
}

impl Job<'_> {
    /// Builds, names the result, and makes sure that App Runner can run it.
    pub(super) async fn run(&self, context: Context) -> Result<LocalImage, WorldError> {
        for reason in &self.logins.missing {
            self.progress.report(Progress::Notice(plain(&self.redaction.hide(reason))));
        }
        self.built(context).await.map_err(|error| hidden(error, &self.redaction))
    }

    async fn built(&self, context: Context) -> Result<LocalImage, WorldError> {
        let options = self.options(&context);
        let mut attempt = self.attempt(context, options).await;
        if self.connection.offers_buildkit && attempt.as_ref().is_err_and(is_session_trouble) {
            let classic = "BuildKit could not be used here; building with the classic builder";
            attempt = self.anew(classic).await;
        }
        for _ in 0..CACHE_PATIENCE {
            if attempt.as_ref().is_err_and(is_cache_trouble) {
                let again = "an image was removed while the engine looked for its cached steps; \
                             building once more";
                attempt = self.anew(again).await;
            }
        }
        let image = attempt?;
        let built = inspect(self.connection, &image).await?.ok_or_else(|| {
            failed(&format!("the engine no longer has the image {image} it built"), Vec::new())
        })?;
        runs_on_app_runner(built)
    }

    /// Once more, with the classic builder, and says why.
    async fn anew(&self, why: &str) -> Result<String, WorldError> {
        self.progress.report(Progress::Notice(why.to_owned()));
        let context = Context::open(self.request)?;
        let options = self.options_classic(&context);
        self.attempt(context, options).await
    }

    fn options(&self, context: &Context) -> BuildImageOptions {
        let classic = self.options_classic(context);
        if !self.connection.offers_buildkit {
            return classic;
        }
        BuildImageOptions {
            version: BuilderVersion::BuilderBuildKit,
            session: Some(ulid::Ulid::generate().to_string().to_lowercase()),
            ..classic
        }
    }

    fn options_classic(&self, context: &Context) -> BuildImageOptions {
        let arguments = self.request.arguments.iter();
        BuildImageOptions {
            dockerfile: context.dockerfile.clone(),
            t: Some(self.name.to_owned()),
            buildargs: Some(
                arguments.map(|(name, value)| (name.to_string(), value.into())).collect(),
            ),
            target: self.request.target.clone().unwrap_or_default(),
            platform: PLATFORM.to_owned(),
            rm: true,
            forcerm: true,
            version: BuilderVersion::BuilderV1,
            ..BuildImageOptions::default()
        }
    }

    /// One build, from the first file to the image's id.
    async fn attempt(
        &self,
        context: Context,
        options: BuildImageOptions,
    ) -> Result<String, WorldError> {
        let (files, writer) = start(context);
        let answer = self.connection.docker.build_image(
            options,
            Some(self.logins.known.clone()).filter(|logins| !logins.is_empty()),
            Some(bollard::body_try_stream(files)),
        );
        let mut output = Output::without(&self.redaction);
        let answered = follow(answer, &mut output, self.progress).await;
        let patience = if answered.is_ok() { LAST_FILES } else { Duration::ZERO };
        match writer.end(patience).await {
            Ok(Ended::Unfit(unfit)) => return Err(unfit),
            Ok(Ended::Whole(sent)) => tell_left_out(&sent, self.progress),
            Ok(Ended::Unwanted) => {}
            Err(error) => return Err(failed(&format!("sending broke off: {error}"), Vec::new())),
        }
        match answered {
            Ok(()) => output.image.clone().ok_or_else(|| {
                failed("the engine ended the build without naming an image", output.last_lines())
            }),
            Err(error) => Err(why(&error, &output)),
        }
    }
}

/// Reports lines until the engine has said everything.
async fn follow(
    answer: impl futures_util::Stream<Item = Result<BuildInfo, Error>>,
    output: &mut Output<'_>,
    progress: &dyn ProgressSink,
) -> Result<(), Error> {
    let mut answer = std::pin::pin!(answer);
    let mut ended = Ok(());
    while let Some(message) = answer.next().await {
        match message {
            Ok(message) => report(output.read(message), progress),
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    report(output.finish(), progress);
    ended
}

fn report(lines: Vec<String>, progress: &dyn ProgressSink) {
    lines.into_iter().map(Progress::BuildLine).for_each(|line| progress.report(line));
}

fn tell_left_out(sent: &Sent, progress: &dyn ProgressSink) {
    for socket in &sent.sockets {
        let path = plain(&socket.to_string_lossy());
        progress.report(Progress::Notice(format!("{path} is a socket: left out of the image")));
    }
}

fn failed(message: &str, details: Vec<String>) -> WorldError {
    WorldError::Refused {
        place: Place::Docker,
        code: "build-failed".into(),
        message: message.into(),
        details,
    }
}

fn why(error: &Error, output: &Output<'_>) -> WorldError {
    match spoken(error) {
        Some(message) => failed(&plain_message(message), output.last_lines()),
        None if is_lost(error) => lost(error),
        None => {
            failed(&format!("the engine's answer cannot be read: {error}"), output.last_lines())
        }
    }
}

/// An engine may repeat whatever it was sent.
fn hidden(error: WorldError, redaction: &Redaction) -> WorldError {
    let hide = |text: String| redaction.hide(&text);
    match error {
        WorldError::Refused { place, code, message, details } => WorldError::Refused {
            place,
            code,
            message: hide(message),
            details: details.into_iter().map(hide).collect(),
        },
        WorldError::Unreachable { place, obstacle, reason } => {
            WorldError::Unreachable { place, obstacle, reason: hide(reason) }
        }
        WorldError::Unanswered { place, reason } => {
            WorldError::Unanswered { place, reason: hide(reason) }
        }
    }
}

/// A message of several lines, harmless each.
fn plain_message(message: &str) -> String {
    message.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// BuildKit needs a second connection back to us, which some proxies and engines do not allow.
fn is_session_trouble(error: &WorldError) -> bool {
    const SIGNS: [&str; 4] =
        ["no active session", "session not found", "buildkit not supported", "/session"];
    let text = error.to_string();
    error.code() == Some("build-failed") && SIGNS.iter().any(|sign| text.contains(sign))
}

/// The classic builder compares with every image it has, and gives up where one of them is removed
/// in that moment, by whomever (moby, `image/cache`: `getLocalCachedImage`).
fn is_cache_trouble(error: &WorldError) -> bool {
    let text = error.to_string();
    error.code() == Some("build-failed") && text.contains("unable to find image \"sha256:")
}

/// Some builders take the platform for a wish: a base image of another one slips through.
fn runs_on_app_runner(image: LocalImage) -> Result<LocalImage, WorldError> {
    if image.platform.is_linux_amd64() {
        return Ok(image);
    }
    let message = format!(
        "the image is for {}, App Runner runs {PLATFORM} only; remove the platform from the FROM \
         lines of the Dockerfile, or write FROM --platform={PLATFORM}",
        image.platform
    );
    Err(WorldError::refused(Place::Docker, "wrong-platform", message))
}
