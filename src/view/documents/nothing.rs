//! What is shown where nothing was deployed yet: the same words everywhere.

use serde_json::{Value, json};

use super::status::next_lines;
use crate::names::ServiceName;
use crate::view::look::Accent;
use crate::view::{Document, Look};

/// A history of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NothingDeployed {
    /// The document that it stands for, such as `history`.
    pub name: &'static str,
    /// The services that the journal has, where one was named that it has not.
    pub known: Vec<ServiceName>,
}

impl Document for NothingDeployed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn endpoint(&self) -> Option<&str> {
        None
    }

    fn text(&self, look: Look) -> String {
        look.hanging("", Accent::None, &self.words())
            + &next_lines(look, &["surefoot deploy".to_owned()])
    }

    fn json(&self) -> Value {
        let mut value = json!({ "service": null, "endpoint": null, "known_services": self.known });
        if self.name == "history" {
            value["older"] = json!(0);
            value["deployments"] = json!([]);
            value["prunes"] = json!([]);
            value["restorations"] = json!([]);
        }
        value
    }
}

impl NothingDeployed {
    /// Says so, and what the journal has instead.
    pub fn words(&self) -> String {
        words(&self.known)
    }
}

/// Says so, and what the journal has instead.
pub(super) fn nothing_deployed(look: Look, known: &[ServiceName]) -> String {
    look.hanging("", Accent::None, &words(known))
}

/// A name may be misspelled: those that the journal has are named.
fn words(known: &[ServiceName]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match &names[..] {
        [] => "Nothing was deployed from here yet.".to_owned(),
        names => {
            format!(
                "Nothing was deployed from here yet as this service. The journal knows {}.",
                names.join(", ")
            )
        }
    }
}
