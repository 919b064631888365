//! `GET /v1/me`: who asks, as Daybook knows them, and what they may do.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::register::Register;
use identity::department::Department;
use identity::tenant::Tenant;
use identity::user::User;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::By;
use crate::extract::NoParameters;
use crate::problem::Problem;

/// Shows who asks.
///
/// # Errors
/// [`Problem`].
pub async fn show(State(app): State<App>, by: By, _: NoParameters) -> Result<Response, Problem> {
    let user = app.book.now::<User>(by.tenant, by.user).await?;
    let tenant = app.book.now::<Tenant>(by.tenant, by.tenant).await?;
    let standing = app.book.standing(by.tenant).await?;
    let departments = app
        .book
        .fresh::<Register<Department>>(by.tenant, &by.departments)
        .await?;
    let departments = by.departments.iter().zip(&departments).map(|(id, department)| {
        let name = match department.as_deref() {
            Some(Register::Entered(department) | Register::Struck(department)) => Some(&department.name),
            Some(Register::Unborn) | None => None,
        };
        json!({ "id": id, "name": name })
    });
    let roles = by.roles.iter();
    let roles = roles.map(|(id, role)| json!({ "id": id, "name": role.name() }));
    let mut granted: Vec<&str> = by.roles.iter().flat_map(|(_, role)| role.permissions()).collect();
    granted.sort_unstable();
    granted.dedup();
    let all = app.contexts.permissions().keys();
    let effective: Vec<&String> = all.filter(|permission| by.permits(permission)).collect();
    let told = json!({
        "user": {
            "id": by.user,
            "name": user.as_deref().and_then(User::name),
            "email": user.as_deref().and_then(User::email),
        },
        "tenant": {
            "id": by.tenant,
            "name": tenant.as_deref().and_then(Tenant::name),
            "standing": standing.stored(),
        },
        "roles": roles.collect::<Vec<Value>>(),
        "granted": granted,
        "permissions": effective,
        "departments": departments.collect::<Vec<Value>>(),
        "all_departments": by.sees_all_departments(),
        "operator": by.is_operator,
        "device": by.device.as_deref(),
        "expires_at": by.until,
    });
    Ok(Json(told).into_response())
}
