//! Credentials as every AWS tool finds them, without the long wait where there are none.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::meta::region::RegionProviderChain;
use aws_credential_types::provider::SharedCredentialsProvider;

/// On an EC2 machine the metadata service answers within milliseconds; on a laptop nothing does.
const METADATA_CONNECT: Duration = Duration::from_millis(300);
const METADATA_READ: Duration = Duration::from_millis(700);
const METADATA_IN_ALL: Duration = Duration::from_secs(2);

/// Environment, profile (SSO, role, process), web identity, container, instance: in this order.
pub(super) async fn chain(
    region: &RegionProviderChain,
    profile: Option<&str>,
) -> SharedCredentialsProvider {
    let metadata = imds::Client::builder()
        .connect_timeout(METADATA_CONNECT)
        .read_timeout(METADATA_READ)
        .operation_timeout(METADATA_IN_ALL)
        .max_attempts(1)
        .build();
    let mut chain =
        DefaultCredentialsChain::builder().region(region.region().await).imds_client(metadata);
    if let Some(profile) = profile {
        chain = chain.profile_name(profile);
    }
    SharedCredentialsProvider::new(chain.build().await)
}
