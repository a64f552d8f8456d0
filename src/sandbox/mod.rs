//! The simulated world: App Runner, ECR, Logs, Secrets Manager, STS and IAM on loopback.
