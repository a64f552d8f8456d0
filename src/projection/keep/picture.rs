//! What was seen before it is decided what may go: the repository, the services, the journal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::memory::Memory;
use crate::names::{Digest, ImageIdentifier, Reference, RepositoryName, ServiceName};
use crate::world::registry::Held;
use crate::world::service::{Origin, Service, ServiceStatus};

/// What was seen.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The repository.
    pub repository: RepositoryName,
    /// Every service of the account and region, as App Runner shows it now.
    pub services: Vec<Running>,
    /// What the journal remembers of the services of this account and region.
    pub memories: Vec<Memory>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
    images: BTreeMap<Digest, Held>,
    parts: BTreeMap<Digest, Vec<Digest>>,
    holders: BTreeMap<Digest, Vec<Digest>>,
    about: BTreeMap<Digest, Vec<Digest>>,
    tags: BTreeMap<String, Digest>,
    named: BTreeMap<Digest, (usize, usize)>,
}

/// A service, as far as pruning needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: ServiceName,
    /// Its status.
    pub status: ServiceStatus,
    /// The image of ECR that it is configured with.
    pub image: Option<ImageIdentifier>,
    /// The mark it carries.
    pub mark: Option<String>,
}

impl From<Service> for Running {
    fn from(service: Service) -> Self {
        let image = match service.origin {
            Origin::Ecr(image) => Some(image),
            Origin::EcrPublic(_) | Origin::Code(_) => None,
        };
        Self { name: service.name, status: service.status, image, mark: service.mark }
    }
}

impl Picture {
    /// The picture of these images, with the parts of the indexes among them.
    pub fn new(
        repository: RepositoryName,
        images: Vec<Held>,
        parts: BTreeMap<Digest, Vec<Digest>>,
        services: Vec<Running>,
        memories: Vec<Memory>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut picture = Self {
            repository,
            services,
            memories,
            now,
            images: images.into_iter().map(|held| (held.image.digest.clone(), held)).collect(),
            parts,
            holders: BTreeMap::new(),
            about: BTreeMap::new(),
            tags: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        picture.cross_reference();
        picture
    }

    fn cross_reference(&mut self) {
        for (index, parts) in self.parts.iter().filter(|(index, _)| self.images.contains_key(index))
        {
            for part in parts {
                self.holders.entry(part.clone()).or_default().push(index.clone());
            }
        }
        for (digest, held) in &self.images {
            if let Some(subject) = &held.subject {
                self.about.entry(subject.clone()).or_default().push(digest.clone());
            }
            let names = held.image.tags.iter().map(|tag| (tag.clone(), digest.clone()));
            self.tags.extend(names);
        }
        for (memory, remembered) in self.memories.iter().enumerate() {
            for (place, named) in remembered.named.iter().enumerate() {
                for digest in named.digests() {
                    self.named.insert(digest.clone(), (memory, place));
                }
            }
        }
    }

    /// What the journals that are known here remember of a service: ours, and those of other clones.
    pub(super) fn memories_of(&self, service: &ServiceName) -> impl Iterator<Item = &Memory> {
        self.memories.iter().filter(move |memory| memory.stream.service == *service)
    }

    /// Every image.
    pub fn images(&self) -> impl Iterator<Item = &Held> {
        self.images.values()
    }

    /// Whether the repository has it.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.images.contains_key(digest)
    }

    /// What an index names; nothing for an image.
    pub fn parts_of(&self, index: &Digest) -> &[Digest] {
        self.parts.get(index).map_or(&[], Vec::as_slice)
    }

    /// The parts of all indexes, by index: what need not be read again, for manifests never change.
    pub fn parts(&self) -> &BTreeMap<Digest, Vec<Digest>> {
        &self.parts
    }

    /// The indexes in the repository that name it.
    pub(super) fn holders_of(&self, part: &Digest) -> &[Digest] {
        self.holders.get(part).map_or(&[], Vec::as_slice)
    }

    /// The images that are about it.
    pub(super) fn about(&self, subject: &Digest) -> &[Digest] {
        self.about.get(subject).map_or(&[], Vec::as_slice)
    }

    /// The memory that names it, and where.
    pub(super) fn named(&self, digest: &Digest) -> Option<(&Memory, &super::Named)> {
        let (memory, place) = *self.named.get(digest)?;
        Some((&self.memories[memory], &self.memories[memory].named[place]))
    }

    /// The images that may be meant by this identifier: by its digest, by its tag today.
    pub(super) fn meant<'a>(
        &'a self,
        image: &'a ImageIdentifier,
    ) -> impl Iterator<Item = &'a Digest> {
        let here = image.repository == self.repository;
        let digest = match &image.reference {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(tag) => self.tags.get(tag.as_str()),
        };
        digest.filter(|_| here).into_iter()
    }

    /// Indexes whose parts are not known.
    pub(super) fn unread(&self) -> BTreeSet<&Digest> {
        let indexes = self.images.values().filter(|held| held.may_have_parts());
        indexes.map(|held| &held.image.digest).filter(|it| !self.parts.contains_key(it)).collect()
    }
}
