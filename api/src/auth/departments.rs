//! The departments above a department.

use std::sync::Arc;
use std::time::Duration;

use book::{Book, BookError};
use domain::identity::department::{Department, LEVELS_MAX};
use domain::register::Register;
use uuid::Uuid;

use super::principal::CACHED_PRINCIPAL_SECONDS_MAX;

const CACHED_DEPARTMENTS_MAX: u64 = 50_000;

/// The lines of departments of late, from each one up to the top.
#[derive(Debug)]
pub struct Departments {
    book: Book,
    lines: moka::future::Cache<(Uuid, Uuid), Arc<[Uuid]>>,
}

impl Departments {
    #[must_use]
    pub fn new(book: Book) -> Self {
        let lines = moka::future::Cache::builder()
            .max_capacity(CACHED_DEPARTMENTS_MAX)
            .time_to_live(Duration::from_secs(CACHED_PRINCIPAL_SECONDS_MAX))
            .build();
        Self { book, lines }
    }

    /// The department and those above it, nearest first. A struck department keeps its place.
    ///
    /// # Errors
    /// What the book fails with.
    pub async fn line(&self, tenant: Uuid, department: Uuid) -> Result<Arc<[Uuid]>, BookError> {
        if let Some(line) = self.lines.get(&(tenant, department)).await {
            return Ok(line);
        }
        let mut line = vec![department];
        let mut above = Some(department);
        // One beyond the levels that the domain allows, so that not even a cycle would run on.
        while let Some(id) = above.take().filter(|_| line.len() <= LEVELS_MAX) {
            let found = self
                .book
                .fresh::<Register<Department>>(tenant, &[id])
                .await?
                .pop()
                .flatten();
            above = match found.as_deref() {
                Some(Register::Entered(entry) | Register::Struck(entry)) => entry.parent_id,
                Some(Register::Unborn) | None => None,
            };
            line.extend(above);
        }
        let line: Arc<[Uuid]> = line.into();
        self.lines.insert((tenant, department), line.clone()).await;
        Ok(line)
    }

    pub fn forget(&self) {
        self.lines.invalidate_all();
    }
}
