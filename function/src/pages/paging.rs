//! Splits a long list into parts. The server renders only the requested part.

use super::href;

/// The position of a part in the list, and links to its neighbours.
#[derive(Debug)]
pub(super) struct Paging {
    /// The number of entries in all parts.
    pub total: usize,
    /// The numbers of the first and the last entry of this part, from 1.
    pub first: usize,
    pub last: usize,
    /// Links to the previous and the next part.
    pub previous: Option<String>,
    pub next: Option<String>,
}

/// The entries of part `page`, with at most `size` entries.
///
/// `page` is the text from the URL, counted from 1. Any other text means the first part. `root`, `path` and
/// `parameters` form the links to the other parts.
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
    fn parts_are_contiguous_and_linked() {
        // Number of entries, page; first, last, previous, next.
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
