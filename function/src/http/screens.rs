//! Pages as answers: which page a route is, and the status of one that cannot be shown.

use std::fmt::Display;

use super::answer::{Answer, Status};
use super::event::Asked;
use super::lists;
use super::route::{Route, Routed};
use crate::pages::{self, NotShown, Page, Shown};
use crate::snapshot::{Snapshot, Snapshots};

/// The page of a route, if a page is the answer: always under `/debug/`, elsewhere if a browser asks.
pub fn page(routed: &Routed<'_>, asked: &Asked) -> Option<Page> {
    let by_browser = |page| asked.accepts_html.then_some(page);
    match &routed.route {
        // The merged view is for collectors.
        _ if routed.merged => None,
        Route::Page(page) => Some(*page),
        Route::Index => by_browser(Page::Overview),
        Route::ScrapeConfigs => by_browser(Page::ScrapeConfigsOfCollectors),
        Route::Jobs => by_browser(Page::JobsOfCollectors),
        Route::Report => by_browser(Page::Report),
        Route::Explain => by_browser(Page::Explain),
        Route::Targets(_) | Route::PlainTargets | Route::Live | Route::Ready => None,
    }
}

/// A page of what `snapshot` holds.
pub fn answer(page: Page, snapshot: &Snapshot, snapshots: &Snapshots, asked: &Asked) -> Answer {
    let question = lists::question(asked);
    let shown = Shown { snapshot, snapshots, parameters: &asked.parameters, question: &question };
    match pages::render(page, &shown) {
        Ok(body) => Answer::page(None, body),
        Err(NotShown::Unknown(message)) => failure(page, Status::NotFound, message),
        Err(NotShown::Template(error)) => failure(page, Status::Internal, error),
    }
}

/// A page that says what went wrong.
pub fn failure(page: Page, status: Status, message: impl Display) -> Answer {
    let message = message.to_string();
    match pages::failure(page, &message) {
        Ok(body) => Answer::page(Some(status), body),
        Err(_) => Answer::error(status, message),
    }
}

/// The clusters to choose from.
pub fn clusters(names: &[&str]) -> Answer {
    match pages::clusters(names) {
        Ok(body) => Answer::page(None, body),
        Err(error) => Answer::error(Status::Internal, error),
    }
}
