//! ECR in process.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use secrecy::SecretString;

use super::Machine;
use super::builder::platform;
use super::mishap::Kind;
use crate::names::{AccountId, Digest, Reference, RepositoryName, Tag};
use crate::world::registry::{
    Deletion, Held, Image, Login, Mutability, Platform, Registry, Repository,
};
use crate::world::{Place, WorldError};

const PLACE: Place = Place::Ecr;

#[async_trait]
impl Registry for Machine {
    async fn find(&self, name: &RepositoryName) -> Result<Option<Repository>, WorldError> {
        let call = (PLACE, Kind::Read, "DescribeRepositories");
        self.call(call, |state, _| Ok(state.shelf.repository(name))).await
    }

    async fn create(&self, name: &RepositoryName) -> Result<Repository, WorldError> {
        let call = (PLACE, Kind::Change, "CreateRepository");
        let intended = self.desk().intended;
        self.call(call, |state, _| {
            if !intended {
                state.unintended.push("CreateRepository");
            }
            state.shelf.add(name, Mutability::Mutable);
            Ok(state.shelf.repository(name).expect("it was added"))
        })
        .await
    }

    async fn image(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Image>, WorldError> {
        let call = (PLACE, Kind::Read, "DescribeImages");
        self.call(call, |state, _| Ok(state.shelf.image(repository, reference))).await
    }

    async fn held(
        &self,
        _account: &AccountId,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<BTreeSet<Digest>, WorldError> {
        let call = (PLACE, Kind::Read, "DescribeImages");
        self.call(call, |state, _| {
            let there = |digest: &&Digest| {
                state.shelf.image(repository, &Reference::Digest((*digest).clone())).is_some()
            };
            Ok(digests.iter().filter(there).cloned().collect())
        })
        .await
    }

    async fn platforms(
        &self,
        _repository: &RepositoryName,
        _digest: &Digest,
    ) -> Result<Vec<Platform>, WorldError> {
        self.call((PLACE, Kind::Read, "BatchGetImage"), |_, _| Ok(vec![platform()])).await
    }

    async fn configuration_digest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Digest>, WorldError> {
        let call = (PLACE, Kind::Read, "BatchGetImage");
        self.call(call, |state, _| Ok(state.shelf.configuration(repository, digest))).await
    }

    async fn tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), WorldError> {
        let intended = self.desk().intended;
        self.call((PLACE, Kind::Change, "PutImage"), |state, _| {
            if !intended {
                state.unintended.push("PutImage");
            }
            state.shelf.tag(repository, digest, tag)
        })
        .await
    }

    async fn login(&self) -> Result<Login, WorldError> {
        self.call((PLACE, Kind::Read, "GetAuthorizationToken"), |_, _| {
            Ok(Login {
                server: "in process".into(),
                username: "AWS".into(),
                password: SecretString::from("nothing"),
            })
        })
        .await
    }

    async fn images(&self, repository: &RepositoryName) -> Result<Option<Vec<Held>>, WorldError> {
        let call = (PLACE, Kind::Read, "DescribeImages");
        self.call(call, |state, _| Ok(state.shelf.images(repository))).await
    }

    async fn parts(
        &self,
        _repository: &RepositoryName,
        indexes: &[Digest],
    ) -> Result<BTreeMap<Digest, Vec<Digest>>, WorldError> {
        let call = (PLACE, Kind::Read, "BatchGetImage");
        // Nothing on this shelf is an index.
        self.call(call, |_, _| Ok(indexes.iter().map(|one| (one.clone(), Vec::new())).collect()))
            .await
    }

    async fn delete(
        &self,
        repository: &RepositoryName,
        images: &[Digest],
    ) -> Result<Vec<(Digest, Deletion)>, WorldError> {
        self.call((PLACE, Kind::Change, "BatchDeleteImage"), |state, _| {
            for digest in images {
                let needed = state.users_of(digest).into_iter();
                let needed =
                    needed.map(|service| format!("{} runs in `{service}`", digest.short()));
                state.pruned_in_need.extend(needed.collect::<Vec<_>>());
            }
            let stored = &mut state.shelf;
            let became = images.iter().map(|digest| {
                let there = stored.holds(repository, digest);
                stored.delete(repository, digest);
                let outcome = if there { Deletion::Deleted } else { Deletion::NotThere };
                (digest.clone(), outcome)
            });
            Ok(became.collect())
        })
        .await
    }

    async fn lifecycle_policy(
        &self,
        _repository: &RepositoryName,
    ) -> Result<Option<String>, WorldError> {
        self.call((PLACE, Kind::Read, "GetLifecyclePolicy"), |_, _| Ok(None)).await
    }
}
