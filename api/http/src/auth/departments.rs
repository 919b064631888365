//! The departments above a department.

use std::sync::Arc;

use book::Book;
use domain::register::Register;
use identity::department::{Department, LEVELS_MAX};
use uuid::Uuid;

use super::changes::Changes;
use super::remembered::{Read, Remembered};
use crate::problem::Problem;

const CACHED_DEPARTMENTS_MAX: u64 = 50_000;

/// The lines of departments of late, from each one up to the top.
#[derive(Debug)]
pub struct Departments {
    book: Book,
    lines: Remembered<(Uuid, Uuid), Arc<[Uuid]>>,
}

impl Departments {
    #[must_use]
    pub fn new(book: Book, changes: Arc<Changes>) -> Self {
        let lines = Remembered::new(changes, CACHED_DEPARTMENTS_MAX);
        Self { book, lines }
    }

    /// The department and those above it, nearest first. A struck department keeps its place.
    ///
    /// # Errors
    /// The failure of the book.
    pub async fn line(&self, tenant: Uuid, department: Uuid) -> Result<Arc<[Uuid]>, Problem> {
        let read = || self.read(tenant, department);
        self.lines.get((tenant, department), read).await
    }

    async fn read(&self, tenant: Uuid, department: Uuid) -> Result<Read<Arc<[Uuid]>>, Problem> {
        let mut line = vec![department];
        let mut above = Some(department);
        // One beyond the levels that the domain allows, so that not even a cycle would run on.
        while let Some(id) = above.take().filter(|_| line.len() <= LEVELS_MAX) {
            let found = self.book.now::<Register<Department>>(tenant, id).await?;
            above = match found.as_deref() {
                Some(Register::Entered(entry) | Register::Struck(entry)) => entry.parent_id,
                Some(Register::Unborn) | None => None,
            };
            line.extend(above);
        }
        Ok(Read {
            value: line.as_slice().into(),
            streams: line,
        })
    }
}
