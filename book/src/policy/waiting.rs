//! Reactions that wait because their tenant is suspended. Their events are noted like missed ones. Once the tenant is
//! active again they are reacted to in the book's order, and before anything that came later.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Recorded, Standing};
use sqlx::PgPool;
use uuid::Uuid;

use crate::pools::answered;
use crate::{BookError, tenants};

/// The tenants for which reactions of one policy wait, as its leader knows.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeSet<Uuid>>);

impl Waiting {
    /// As whoever led before has left it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(pool: &PgPool, policy: &str) -> Result<Self, BookError> {
        let asking = sqlx::query_scalar("select distinct tenant_id from book.missed where policy = $1 and waits")
            .bind(policy)
            .fetch_all(pool);
        let tenants: Vec<Uuid> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        Ok(Self(Mutex::new(tenants.into_iter().collect())))
    }

    /// A reaction for this tenant waits from now on.
    pub fn add(&self, tenant: Uuid) {
        self.tenants().insert(tenant);
    }

    /// Nothing of this tenant waits any more.
    pub fn done(&self, tenant: Uuid) {
        self.tenants().remove(&tenant);
    }

    /// Those that wait among the tenants of these events.
    #[must_use]
    pub fn among(&self, events: &[Arc<Recorded<String>>]) -> Vec<Uuid> {
        let mut waiting = self.all();
        waiting.retain(|tenant| events.iter().any(|event| event.tenant_id == *tenant));
        waiting
    }

    /// All that wait.
    #[must_use]
    pub fn all(&self) -> Vec<Uuid> {
        self.tenants().iter().copied().collect()
    }

    /// Of these tenants those that wait no longer. What waited for one that is deleted is forgotten.
    ///
    /// # Errors
    /// The database's error.
    pub async fn over(&self, pool: &PgPool, policy: &str, waiting: Vec<Uuid>) -> Result<Vec<Uuid>, BookError> {
        let mut over = Vec::new();
        for (tenant, standing) in tenants::standings(pool, waiting).await? {
            match standing {
                Standing::Active => over.push(tenant),
                Standing::Suspended => {}
                Standing::Deleted => {
                    let forgetting =
                        sqlx::query("delete from book.missed where policy = $1 and tenant_id = $2 and waits")
                            .bind(policy)
                            .bind(tenant)
                            .execute(pool);
                    answered(async { Ok::<_, BookError>(forgetting.await?) }).await?;
                    self.done(tenant);
                }
            }
        }
        Ok(over)
    }

    fn tenants(&self) -> std::sync::MutexGuard<'_, BTreeSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
