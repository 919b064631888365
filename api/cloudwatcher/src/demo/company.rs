//! The demo's people: six departments in a tree, twenty users with the standard roles.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use http::demo::{Act, Person, Story, enter};
use http::{Contexts, Fault, roles};

/// Departments: name, what it is for, the one above, who manages it.
const DEPARTMENTS: [(&str, &str, Option<&str>, &str); 6] = [
    ("Operations", "Keeps the fleet running", None, "dana"),
    ("Field Service", "Repairs on the road", Some("Operations"), "felix"),
    ("Workshops", "Repairs indoors", Some("Operations"), "wanda"),
    ("North Depot", "Trucks 1 to 40", Some("Field Service"), "nils"),
    ("South Depot", "Trucks 41 to 80", Some("Field Service"), "sofia"),
    ("Main Workshop", "Engines and gearboxes", Some("Workshops"), "milan"),
];

/// People: short name, full name, role, department.
const PEOPLE: [(&str, &str, &str, Option<&str>); 19] = [
    ("dana", "Dana Director", "manager", Some("Operations")),
    ("felix", "Felix Field", "manager", Some("Field Service")),
    ("wanda", "Wanda Work", "manager", Some("Workshops")),
    ("nils", "Nils North", "manager", Some("North Depot")),
    ("sofia", "Sofia South", "manager", Some("South Depot")),
    ("milan", "Milan Main", "manager", Some("Main Workshop")),
    ("pia", "Pia Proxy", "manager", Some("Operations")),
    ("ravi", "Ravi Proxy", "manager", Some("Workshops")),
    ("ben", "Ben Bolt", "technician", Some("North Depot")),
    ("clara", "Clara Clutch", "technician", Some("North Depot")),
    ("dmitri", "Dmitri Diesel", "technician", Some("South Depot")),
    ("eva", "Eva Exhaust", "technician", Some("South Depot")),
    ("farid", "Farid Fuse", "technician", Some("Main Workshop")),
    ("greta", "Greta Gasket", "technician", Some("Main Workshop")),
    ("hugo", "Hugo Hose", "technician", Some("South Depot")),
    ("ines", "Ines Insight", "viewer", Some("Operations")),
    ("jonas", "Jonas Journal", "viewer", Some("Field Service")),
    ("karin", "Karin Ledger", "viewer", Some("Workshops")),
    ("liam", "Liam Look", "viewer", None),
];

/// Where orders come from: the department and who drafts there.
pub(crate) struct Company {
    pub admin: Uuid,
    pub buyers: Vec<Buyer>,
}

pub(crate) struct Buyer {
    pub user: Uuid,
    pub department: Uuid,
    /// The managers up the tree, the department's own first.
    pub approvers: Vec<Uuid>,
}

pub(crate) async fn found(story: &Story<'_>, contexts: &Contexts, at: DateTime<Utc>) -> Result<Company, Fault> {
    let admin = story.administrator().await?;
    for role in roles::standard(contexts) {
        roles::define(story.book, story.tenant, &role, Some(at)).await?;
    }
    // A department's manager must be there first, and a member's department, too.
    for (short, name, role, _) in PEOPLE {
        let person = Person {
            id: story.id(&format!("user/{short}")),
            email: format!("{}@daybook.example", name.to_lowercase().replace(' ', ".")),
            name,
            role: roles::id(story.tenant, role),
            department: None,
        };
        story.hire(&person, at).await?;
    }
    for (name, description, parent, manager) in DEPARTMENTS {
        let department = json!({
            "name": name, "description": description,
            "parent_id": parent.map(|parent| story.id(&format!("department/{parent}"))),
            "manager_id": story.id(&format!("user/{manager}")),
        });
        let stream = story.id(&format!("department/{name}"));
        story
            .give(enter(admin, at, "identity/departments", stream, department))
            .await?;
    }
    for (short, _, _, department) in PEOPLE {
        let Some(department) = department else { continue };
        story
            .give(Act {
                by: admin,
                at,
                url: "identity/users",
                stream: story.id(&format!("user/{short}")),
                command: "join-department",
                body: json!({ "department_id": story.id(&format!("department/{department}")) }),
                nth: 0,
                reason: None,
            })
            .await?;
    }
    Ok(Company {
        admin,
        buyers: buyers(story),
    })
}

fn buyers(story: &Story<'_>) -> Vec<Buyer> {
    let above = |name: &str| DEPARTMENTS.iter().find(|department| department.0 == name);
    let technicians = PEOPLE.iter().filter(|person| person.2 == "technician");
    technicians
        .filter_map(|(short, _, _, department)| {
            let department = (*department)?;
            let up = std::iter::successors(above(department), |department| department.2.and_then(above));
            Some(Buyer {
                user: story.id(&format!("user/{short}")),
                department: story.id(&format!("department/{department}")),
                approvers: up
                    .map(|department| story.id(&format!("user/{}", department.3)))
                    .collect(),
            })
        })
        .collect()
}
