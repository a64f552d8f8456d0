use super::*;
use crate::world::Obstacle;
use crate::world::aws::scripted::{Answer, Endpoint, Rude, closed, connection_to, rude};

const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/Deploy/me</Arn><UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn role_answer(document: &str) -> Answer {
    Answer::text(
        200,
        &format!(
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Path>/service-role/</Path><RoleName>Access</RoleName><RoleId>R</RoleId><Arn>arn:aws:iam::123456789012:role/service-role/Access</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>"
        ),
    )
}

fn error_answer(status: u16, code: &str) -> Answer {
    Answer::text(
        status,
        &format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>the reason</Message></Error></ErrorResponse>"
        ),
    )
}

#[tokio::test]
async fn the_caller_is_told() {
    let endpoint = Endpoint::start().await;
    endpoint.on("GetCallerIdentity", Answer::text(200, CALLER));
    let caller = StsIam::new(&endpoint.connection()).caller().await.unwrap();
    assert_eq!(caller.account.as_str(), "123456789012");
    assert_eq!(caller.arn, "arn:aws:sts::123456789012:assumed-role/Deploy/me");
}

#[tokio::test]
async fn a_role_tells_whom_it_trusts() {
    let endpoint = Endpoint::start().await;
    let document = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22build.apprunner.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D";
    endpoint.on("GetRole", role_answer(document));
    let role = StsIam::new(&endpoint.connection()).role("Access").await.unwrap().unwrap();
    assert_eq!(role.arn.as_str(), "arn:aws:iam::123456789012:role/service-role/Access");
    assert_eq!(role.trusts, ["build.apprunner.amazonaws.com"]);
    let body = String::from_utf8(endpoint.asked()[0].body.clone()).unwrap();
    assert!(body.contains("RoleName=Access"), "{body}");
}

#[tokio::test]
async fn a_role_that_is_not_there_is_none_and_an_unreadable_one_an_error() {
    let endpoint = Endpoint::start().await;
    endpoint
        .on("GetRole", error_answer(404, "NoSuchEntity"))
        .on("GetRole", role_answer("not a policy"))
        .on("GetRole", Answer::text(200, "<GetRoleResponse><GetRoleResult/></GetRoleResponse>"));
    let identity = StsIam::new(&endpoint.connection());
    assert_eq!(identity.role("Access").await, Ok(None));
    for _ in 0..2 {
        let error = identity.role("Access").await.unwrap_err();
        assert!(matches!(error, WorldError::Unreachable { obstacle: Obstacle::Broken, .. }));
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (answer, expected) in [
        (error_answer(403, "AccessDenied"), None),
        (error_answer(500, "ServiceFailure"), Some(Obstacle::Broken)),
        (error_answer(400, "Throttling"), Some(Obstacle::Throttled)),
        (error_answer(403, "ExpiredToken"), Some(Obstacle::ExpiredCredentials)),
        (error_answer(400, "RequestExpired"), Some(Obstacle::ExpiredCredentials)),
        (error_answer(403, "InvalidClientTokenId"), Some(Obstacle::InvalidCredentials)),
        (error_answer(403, "SignatureDoesNotMatch"), Some(Obstacle::InvalidCredentials)),
        (error_answer(403, "MissingAuthenticationToken"), Some(Obstacle::NoCredentials)),
        (Answer::text(200, ""), Some(Obstacle::Broken)),
        (Answer::text(200, "<html>hello</html>"), Some(Obstacle::Broken)),
        (Answer::text(500, "<html>oops</html>"), Some(Obstacle::Broken)),
        (Answer::text(403, "<html>proxy</html>"), Some(Obstacle::Broken)),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on("GetCallerIdentity", answer.clone()).on("GetRole", answer.clone());
        let identity = StsIam::new(&endpoint.connection());
        for error in
            [identity.caller().await.unwrap_err(), identity.role("Access").await.unwrap_err()]
        {
            match (&error, expected) {
                (WorldError::Refused { code, .. }, None) => assert_eq!(code, "AccessDenied"),
                (WorldError::Unreachable { obstacle, .. }, Some(it)) if *obstacle == it => {}
                _ => panic!("{answer:?}: {error:?}"),
            }
        }
    }
    for address in [rude(Rude::Resets).await, closed().await] {
        let identity = StsIam::new(&connection_to(address));
        for error in
            [identity.caller().await.unwrap_err(), identity.role("Access").await.unwrap_err()]
        {
            assert!(matches!(error, WorldError::Unreachable { obstacle: Obstacle::Network, .. }));
        }
    }
}
