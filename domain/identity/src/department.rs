//! A part of the organisation, in a hierarchy. Feeds `departments` of document
//! 001_eec75370b5eea864 (schema `cloudwatcher`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::user::User;
use domain::faults::Faults;
use domain::register::{Entry, EntryId, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<domain::register::Register<Department>>("departments");

/// Characters of a department's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of a department's description.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Departments above one another, the lowest included.
pub const LEVELS_MAX: usize = 32;

/// A department as it is entered: a company, a region, a store, a team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// Its name. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The department above it, which is in use and not below it. At most 32 levels.
    #[serde(default)]
    pub parent_id: Option<Uuid>,
    /// Its purpose. At most 4,000 characters.
    #[serde(default)]
    #[schemars(length(max = DESCRIPTION_CHARS_MAX))]
    pub description: Option<String>,
    /// The active user who runs it.
    #[serde(default)]
    pub manager_id: Option<Uuid>,
}

impl Entry for Department {
    const TYPE: &'static str = "identity.department";
    const NOUN: &'static str = "department";
    const ENTERED: &'static str = "DepartmentEntered";
    const AMENDED: &'static str = "DepartmentAmended";
    const STRUCK: &'static str = "DepartmentStruck";

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at(
                "description",
                text::optional(self.description.as_ref(), DESCRIPTION_CHARS_MAX),
            )
    }

    fn reads(&self, EntryId { id, .. }: EntryId, facts: &Facts) -> Vec<FactRef> {
        let mut refs: Vec<FactRef> = self.manager_id.map(FactRef::of::<User>).into_iter().collect();
        let above = above(self.parent_id, id, facts).filter(|&department_id| department_id != id);
        refs.extend(above.map(FactRef::of::<Register<Department>>));
        refs
    }

    fn judge(&self, EntryId { id, .. }: EntryId, facts: &Facts) -> Faults<String> {
        Faults::default()
            .at("manager_id", self.judge_manager(facts).map_err(str::to_owned))
            .at("parent_id", self.judge_parent(id, facts))
    }
}

impl Department {
    fn judge_manager(&self, facts: &Facts) -> Result<(), &'static str> {
        let is_active = |id| facts.get::<User>(id).is_some_and(User::is_active);
        match self.manager_id {
            Some(manager_id) if !is_active(manager_id) => {
                Err("manager_id names no active user; choose another or none")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn judge_parent(&self, id: Uuid, facts: &Facts) -> Result<(), String> {
        let Some(parent_id) = self.parent_id else { return Ok(()) };
        if parent_id == id {
            return Err("parent_id names the department itself; choose another or none".to_owned());
        }
        Register::<Self>::is_in_use("parent_id", parent_id, facts)?;
        let mut levels = 1;
        for department_id in above(self.parent_id, id, facts) {
            if department_id == id {
                return Err("parent_id names a department below this one; choose one that is not".to_owned());
            }
            levels += 1;
            if levels > LEVELS_MAX {
                return Err(format!(
                    "parent_id lies too deep; at most {LEVELS_MAX} levels are allowed"
                ));
            }
        }
        Ok(())
    }
}

/// The departments above, nearest first, as far as the facts tell. It ends at `id` itself (a cycle)
/// and one beyond the limit, so that no chain makes it run on.
fn above(parent_id: Option<Uuid>, id: Uuid, facts: &Facts) -> impl Iterator<Item = Uuid> + '_ {
    std::iter::successors(parent_id, move |&department_id| {
        if department_id == id {
            return None;
        }
        // A struck department keeps its place: what is below it still counts as below.
        match facts.get::<Register<Department>>(department_id)? {
            Register::Entered(department) | Register::Struck(department) => department.parent_id,
            Register::Unborn => None,
        }
    })
    .take(LEVELS_MAX)
}

#[cfg(test)]
mod tests;
