//! Selects the page that a request gets, and the status of a page that cannot be shown.

use std::fmt::Display;

use super::answer::{Answer, Status};
use super::event::Asked;
use super::lists;
use super::route::{Route, Shown as When};
use crate::pages::{self, NotShown, Page, Shown};
use crate::snapshot::{Served, Snapshot, Snapshots};

/// The page that a request for this route gets. `None` if the answer is not a page.
pub fn page(route: &Route, asked: &Asked) -> Option<Page> {
    match route.page {
        When::Never => None,
        When::ToBrowsers(page) => asked.accepts_html.then_some(page),
        When::Always(page) => Some(page),
    }
}

/// The page for a snapshot.
pub fn answer(page: Page, snapshot: &Snapshot, served: Served<'_>, snapshots: &Snapshots, asked: &Asked) -> Answer {
    let question = lists::question(asked);
    let Asked { parameters, repeated, .. } = asked;
    let shown = Shown { snapshot, served, snapshots, parameters, repeated, question: &question };
    match pages::render(page, &shown) {
        Ok(body) => Answer::page(None, body),
        Err(NotShown::Bad(message)) => failure(page, Status::BadRequest, message),
        Err(NotShown::Unknown(message)) => failure(page, Status::NotFound, message),
        Err(NotShown::Explained(body)) => Answer::page(Some(Status::NotFound), body),
        Err(NotShown::Template(error)) => failure(page, Status::Internal, error),
    }
}

/// A page with an error message.
pub fn failure(page: Page, status: Status, message: impl Display) -> Answer {
    let message = message.to_string();
    match pages::failure(page, &message) {
        Ok(body) => Answer::page(Some(status), body),
        Err(_) => Answer::error(status, message),
    }
}

/// A page with links to all clusters.
pub fn clusters(names: &[&str]) -> Answer {
    match pages::clusters(names) {
        Ok(body) => Answer::page(None, body),
        Err(error) => Answer::error(Status::Internal, error),
    }
}
