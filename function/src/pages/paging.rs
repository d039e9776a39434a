//! A long list in parts, chosen by the server.

use super::href;

/// One part of a list.
#[derive(Debug)]
pub(super) struct Paging {
    /// How many entries there are on all pages.
    pub total: usize,
    /// The first and the last entry of this page, from 1.
    pub first: usize,
    pub last: usize,
    /// Links to the page before and the one after.
    pub previous: Option<String>,
    pub next: Option<String>,
}

/// Takes the part of `entries` that `page` (from 1, as it came in the URL) names; `link` makes links to others.
pub(super) fn part<T>(
    entries: impl Iterator<Item = T>,
    page: &str,
    size: usize,
    root: &str,
    path: &str,
    parameters: &[(&str, &str)],
) -> (Vec<T>, Paging) {
    let page = page.parse::<usize>().unwrap_or(1).clamp(1, usize::MAX / size.max(1));
    let start = (page - 1) * size;
    let (mut total, mut taken) = (0, Vec::new());
    for entry in entries {
        if (start..start + size).contains(&total) {
            taken.push(entry);
        }
        total += 1;
    }
    let link = |page: usize| {
        let page = page.to_string();
        let given = parameters.iter().copied().filter(|(_, value)| !value.is_empty());
        href(root, path, &given.chain([("page", page.as_str())]).collect::<Vec<_>>())
    };
    let paging = Paging {
        total,
        first: if taken.is_empty() { 0 } else { start + 1 },
        last: start + taken.len(),
        previous: (page > 1).then(|| link((page - 1).min(total.div_ceil(size).max(1)))),
        next: (start + size < total).then(|| link(page + 1)),
    };
    (taken, paging)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_up() {
        // Entries, page; first, last, previous, next.
        let cases = [
            (0, "", 0, 0, None, None),
            (3, "1", 1, 3, None, None),
            (25, "", 1, 10, None, Some("./l?q=x&page=2")),
            (25, "2", 11, 20, Some("./l?q=x&page=1"), Some("./l?q=x&page=3")),
            (25, "3", 21, 25, Some("./l?q=x&page=2"), None),
            (25, "99", 0, 980, Some("./l?q=x&page=3"), None),
            (25, "-1", 1, 10, None, Some("./l?q=x&page=2")),
        ];
        for (entries, page, first, last, previous, next) in cases {
            let (taken, paging) = part(0..entries, page, 10, "./", "l", &[("q", "x"), ("job_id", "")]);
            assert_eq!((paging.total, paging.first, paging.last), (entries, first, last), "{page}");
            assert_eq!((paging.previous.as_deref(), paging.next.as_deref()), (previous, next), "{page}");
            assert_eq!(taken.first().map(|first| first + 1), Some(first).filter(|first| *first > 0));
        }
    }
}
