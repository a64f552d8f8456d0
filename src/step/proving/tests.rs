use std::collections::BTreeMap;

use super::*;
use crate::release::{Configuration, Values};
use crate::world::service::Origin;

const ARN: &str = "arn:aws:apprunner:eu-central-1:123456789012:service/shop/\
                   0123456789abcdef0123456789abcdef";

fn service(mark: &str) -> Service {
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:one".parse().unwrap();
    Service {
        arn: ARN.parse().unwrap(),
        id: "0123456789abcdef0123456789abcdef".into(),
        name: "shop".parse().unwrap(),
        url: "shop.example".into(),
        status: ServiceStatus::Running,
        origin: Origin::Ecr(image),
        configuration: Configuration::default(),
        values: Values::new(BTreeMap::new()),
        mark: Some(mark.into()),
        public: true,
        kept_as_is: BTreeMap::new(),
        updated_at: None,
    }
}

/// The same release under another mark is somebody else's deployment of it.
#[test]
fn the_same_release_under_another_mark_is_not_proven() {
    let ours = service("ours");
    let release = ours.release().unwrap();
    let expected = Expected {
        service: &ours.arn,
        release: &release,
        digest: None,
        whole: true,
        mark: Some("ours"),
        or_mark: None,
        operation: None,
    };
    assert_eq!(contradictions(&expected, Some(&ours)), Vec::<String>::new());
    let theirs = contradictions(&expected, Some(&service("theirs")));
    assert_eq!(theirs, ["it carries the mark theirs, not ours"]);
}
