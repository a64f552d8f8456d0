//! Builds images: everything of a Dockerfile that needs no running container.

use std::collections::BTreeMap;
use std::fs::File;

use serde_json::{Value, json};

use super::copy;
use super::dockerfile::{self, Instruction, ParseError, json_form, pairs, words};
use super::images::Image;
use super::tree::{Layer, Node, Tree, clean, join, plain, write_layer};
use crate::sandbox::registry::blobs::BlobStore;
use crate::sandbox::registry::manifest::digest_of;

/// Images of the same content are the same image: no wall clock enters them.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What the query of `POST /build` asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    pub(super) dockerfile: String,
    pub(super) arguments: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    /// `linux/amd64` where it is not said.
    pub(super) platform: String,
    pub(super) target: Option<String>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// Docker answers HTTP 400.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Docker answers HTTP 200 and an `errorDetail` line.
    #[error("{0}")]
    Step(String),
    /// The disk or the context.
    #[error("{0}")]
    Disk(#[from] std::io::Error),
}

fn step(message: impl Into<String>) -> BuildError {
    BuildError::Step(message.into())
}

/// One stage on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) tree: Tree,
    layers: Vec<Layer>,
    config: Value,
    history: Vec<Value>,
    pub(super) variables: BTreeMap<String, String>,
    shell: Vec<String>,
    platform: (String, String),
}

/// A build: the context, what it may build on, and where its words go.
pub(super) struct Build<'a> {
    pub(super) order: Order,
    pub(super) context: Tree,
    pub(super) store: &'a BlobStore,
    pub(super) find: &'a dyn Fn(&str) -> Option<Image>,
    pub(super) say: &'a dyn Fn(Value),
}

impl Build<'_> {
    /// Reads the Dockerfile; what is refused here is refused with HTTP 400.
    pub(super) fn read(&self) -> Result<Vec<Instruction>, BuildError> {
        let name = clean(&self.order.dockerfile);
        let node = self.context.0.get(&name).filter(|node| !node.is_directory());
        let node =
            node.ok_or_else(|| step(format!("Cannot locate specified Dockerfile: {name}")))?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut node.reader(), &mut text)?;
        let instructions = dockerfile::parse(&text)?;
        let first = instructions.iter().find(|one| one.name != "ARG");
        match first {
            Some(first) if first.name != "FROM" => Err(ParseError(format!(
                "dockerfile parse error line {}: no build stage in current context",
                first.line
            ))
            .into()),
            _ => Ok(instructions),
        }
    }

    /// Runs all instructions and returns the image of the last stage, or of the target.
    pub(super) fn run(&self, instructions: &[Instruction]) -> Result<Image, BuildError> {
        let mut stages: Vec<Stage> = Vec::new();
        let mut global = BTreeMap::new();
        for (index, one) in instructions.iter().enumerate() {
            let line = format!("Step {}/{} : {}\n", index + 1, instructions.len(), display(one));
            (self.say)(json!({"stream": line}));
            match (one.name.as_str(), stages.last_mut()) {
                ("FROM", _) => {
                    if stages.last().is_some_and(|stage| self.is_target(stage)) {
                        break;
                    }
                    stages.push(self.from(one, &global, stages.len())?);
                }
                (_, None) => self.argument(one, &BTreeMap::new(), &mut global),
                ("COPY" | "ADD", Some(_)) => self.copy(one, &mut stages)?,
                (_, Some(stage)) => self.instruct(one, stage, &global)?,
            }
        }
        if let Some(target) = &self.order.target
            && !stages.last().is_some_and(|stage| self.is_target(stage))
        {
            return Err(
                ParseError(format!("failed to reach build target {target} in Dockerfile")).into()
            );
        }
        let stage =
            stages.pop().ok_or_else(|| ParseError("no build stage in current context".into()))?;
        Ok(self.seal(stage))
    }

    fn is_target(&self, stage: &Stage) -> bool {
        self.order.target.as_ref() == Some(&stage.name)
    }

    fn from(
        &self,
        one: &Instruction,
        global: &BTreeMap<String, String>,
        number: usize,
    ) -> Result<Stage, BuildError> {
        let words = words(&one.rest, global);
        let base = words.first().cloned().unwrap_or_default();
        let name = match words.as_slice() {
            [_, keyword, name] if keyword.eq_ignore_ascii_case("as") => name.to_lowercase(),
            [_] => number.to_string(),
            _ => {
                return Err(ParseError(format!(
                    "dockerfile parse error line {}: FROM requires either one or three arguments",
                    one.line
                ))
                .into());
            }
        };
        let wished = one.flags.get("platform").unwrap_or(&self.order.platform);
        let (os, architecture) = wished.split_once('/').unwrap_or(("linux", "amd64"));
        let architecture = architecture.split('/').next().unwrap_or("amd64");
        let mut stage = Stage {
            name,
            config: json!({"Env": [default_path()]}),
            shell: vec!["/bin/sh".into(), "-c".into()],
            platform: (os.to_owned(), architecture.to_owned()),
            ..Stage::default()
        };
        if base != "scratch" {
            let image = (self.find)(&base).ok_or_else(|| {
                step(format!(
                    "the embedded engine cannot pull images: line {} builds on `{base}`, which it does not hold; use `FROM scratch` or an image built here, or install Docker",
                    one.line
                ))
            })?;
            self.build_on(&mut stage, &image)?;
        }
        Ok(stage)
    }

    fn build_on(&self, stage: &mut Stage, image: &Image) -> Result<(), BuildError> {
        let configuration = image.configuration();
        stage.config = configuration["config"].clone();
        stage.history = configuration["history"].as_array().cloned().unwrap_or_default();
        stage.layers.clone_from(&image.layers);
        if let Some(text) = configuration["os"].as_str() {
            text.clone_into(&mut stage.platform.0);
        }
        if let Some(text) = configuration["architecture"].as_str() {
            text.clone_into(&mut stage.platform.1);
        }
        for pair in stage.config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if let Some((name, value)) = pair.split_once('=') {
                stage.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        stage.tree = image_tree(image, self.store)?;
        Ok(())
    }

    fn copy(&self, one: &Instruction, stages: &mut [Stage]) -> Result<(), BuildError> {
        let Some((stage, earlier)) = stages.split_last_mut() else { return Ok(()) };
        let borrowed;
        let source = match one.flags.get("from") {
            None => &self.context,
            Some(name) => {
                let by_number = name.parse().ok().and_then(|number: usize| earlier.get(number));
                let by_name = earlier.iter().find(|stage| stage.name.eq_ignore_ascii_case(name));
                match (by_name.or(by_number), (self.find)(name)) {
                    (Some(stage), _) => &stage.tree,
                    (None, Some(image)) => {
                        borrowed = image_tree(&image, self.store)?;
                        &borrowed
                    }
                    (None, None) => {
                        return Err(step(format!(
                            "invalid from flag value {name}: the embedded engine has no such stage or image and cannot pull"
                        )));
                    }
                }
            }
        };
        let files = copy::gather(one, source, stage)?;
        self.layer(one, stage, files)
    }

    fn layer(
        &self,
        one: &Instruction,
        stage: &mut Stage,
        files: BTreeMap<String, Node>,
    ) -> Result<(), BuildError> {
        stage.layers.push(write_layer(&files, self.store)?);
        stage.tree.0.extend(files);
        stage.record(one, false);
        Ok(())
    }

    fn instruct(
        &self,
        one: &Instruction,
        stage: &mut Stage,
        global: &BTreeMap<String, String>,
    ) -> Result<(), BuildError> {
        match one.name.as_str() {
            "RUN" => {
                return Err(step(format!(
                    "the embedded engine cannot run commands while it builds: line {} is `RUN {}`; install Docker, or copy ready-made files into the image",
                    one.line, one.rest
                )));
            }
            "ONBUILD" => {
                return Err(step(format!(
                    "the embedded engine does not know ONBUILD (line {}); install Docker",
                    one.line
                )));
            }
            "ARG" => {
                let mut variables = std::mem::take(&mut stage.variables);
                self.argument(one, global, &mut variables);
                stage.variables = variables;
            }
            "WORKDIR" => return self.work_directory(one, stage),
            _ => stage.configure(one),
        }
        stage.record(one, true);
        Ok(())
    }

    /// A build argument wins over the default; a default set before the first FROM comes last.
    fn argument(
        &self,
        one: &Instruction,
        global: &BTreeMap<String, String>,
        variables: &mut BTreeMap<String, String>,
    ) {
        for word in words(&one.rest, variables) {
            let (name, default) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            let value = self.order.arguments.get(&name).cloned();
            if let Some(value) = value.or(default).or_else(|| global.get(&name).cloned()) {
                variables.insert(name, value);
            }
        }
    }

    fn work_directory(&self, one: &Instruction, stage: &mut Stage) -> Result<(), BuildError> {
        let wanted = words(&one.rest, &stage.variables).join(" ");
        let path = stage.absolute(&wanted);
        stage.config["WorkingDir"] = format!("/{path}").into();
        let mut made = BTreeMap::new();
        copy::parents(&join(&path, "x"), &stage.tree, &mut made);
        if made.is_empty() {
            stage.record(one, true);
            return Ok(());
        }
        self.layer(one, stage, made)
    }

    fn seal(&self, mut stage: Stage) -> Image {
        for (name, value) in &self.order.labels {
            stage.config["Labels"][name] = value.as_str().into();
        }
        let diff_ids: Vec<&str> = stage.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let configuration = json!({
            "architecture": stage.platform.1,
            "os": stage.platform.0,
            "created": CREATED,
            "config": stage.config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": stage.history,
        })
        .to_string();
        let id = digest_of(configuration.as_bytes());
        Image { id, configuration, layers: stage.layers, pushed: Vec::new() }
    }
}

impl Stage {
    /// A path as seen from the working directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return clean(path);
        }
        let from = self.config["WorkingDir"].as_str().unwrap_or_default();
        clean(&format!("{from}/{path}"))
    }

    fn record(&mut self, one: &Instruction, empty: bool) {
        let mut entry = json!({"created": CREATED, "created_by": display(one)});
        if empty {
            entry["empty_layer"] = true.into();
        }
        self.history.push(entry);
    }

    fn command(&self, rest: &str) -> Value {
        if let Some(words) = json_form(rest) {
            return words.into();
        }
        let mut command = self.shell.clone();
        command.push(rest.to_owned());
        command.into()
    }

    fn configure(&mut self, one: &Instruction) {
        let rest = one.rest.as_str();
        match one.name.as_str() {
            "ENV" => {
                for (name, value) in pairs(rest, &self.variables) {
                    self.set_environment(&name, &value);
                }
            }
            "LABEL" => {
                for (name, value) in pairs(rest, &self.variables) {
                    self.config["Labels"][name] = value.into();
                }
            }
            "CMD" => self.config["Cmd"] = self.command(rest),
            "ENTRYPOINT" => {
                self.config["Entrypoint"] = self.command(rest);
                // Docker: a new entry point resets the command that was inherited.
                self.config["Cmd"] = Value::Null;
            }
            "USER" => self.config["User"] = words(rest, &self.variables).join(" ").into(),
            "STOPSIGNAL" => {
                self.config["StopSignal"] = words(rest, &self.variables).join(" ").into();
            }
            "EXPOSE" => {
                for port in words(rest, &self.variables) {
                    let port = if port.contains('/') { port } else { format!("{port}/tcp") };
                    self.config["ExposedPorts"][port] = json!({});
                }
            }
            "VOLUME" => {
                for path in json_form(rest).unwrap_or_else(|| words(rest, &self.variables)) {
                    self.config["Volumes"][path] = json!({});
                }
            }
            "SHELL" => {
                if let Some(shell) = json_form(rest) {
                    self.shell = shell;
                }
            }
            // HEALTHCHECK: App Runner has its own. MAINTAINER: nobody asks.
            _ => {}
        }
    }

    fn set_environment(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
        let prefix = format!("{name}=");
        let mut all: Vec<Value> = self.config["Env"].as_array().cloned().unwrap_or_default();
        all.retain(|pair| !pair.as_str().is_some_and(|pair| pair.starts_with(&prefix)));
        all.push(format!("{prefix}{value}").into());
        self.config["Env"] = all.into();
    }
}

fn display(one: &Instruction) -> String {
    let flags: Vec<String> =
        one.flags.iter().map(|(name, value)| format!("--{name}={value} ")).collect();
    let flags = flags.concat();
    format!("{} {flags}{}", one.name, one.rest)
}

fn default_path() -> &'static str {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

/// The files of an image, its layers laid over each other.
pub(super) fn image_tree(image: &Image, store: &BlobStore) -> Result<Tree, BuildError> {
    let mut tree = Tree::default();
    for layer in &image.layers {
        let blob = store.open(&layer.digest);
        let blob = blob.ok_or_else(|| step(format!("the layer {} is gone", layer.digest)))?;
        let mut packed: File = tempfile::tempfile()?;
        std::io::copy(&mut blob.into_reader(), &mut packed)?;
        tree.lay(plain(&mut packed)?)?;
    }
    Ok(tree)
}
