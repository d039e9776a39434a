//! The answers, true ones and wrong ones.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::Counts;
use crate::body::{End, Pieces};
use crate::draw::Draw;
use crate::truth::{Definition, RESOURCES, Resource, Truth, Uid};
use crate::wire::{self, Event, Item, Items, Page, Wrong};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// More objects than this are never unreadable at once by the fault of their owners.
const HANDFUL: usize = 5;

/// The API server of a story.
pub struct Server {
    pub draw: Draw,
    pub truths: Vec<Truth>,
    /// How many objects of each kind the function knows.
    pub believed: Vec<usize>,
    /// Whether the function has read nothing yet.
    pub is_cold: bool,
    /// Whether answers may be wrong during this refresh.
    pub is_faulty: bool,
    /// Whether lists leave out an object, which nobody can tell from the truth: the test of the rule itself.
    pub lies: bool,
    pub counts: Counts,
}

/// What a list is asked for.
struct Asked<'a> {
    resource: usize,
    from_cache: bool,
    limit: usize,
    token: &'a str,
    protobuf: bool,
}

/// An answer before it is cut into pieces.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    end: End,
}

impl Answer {
    const fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type, body, end: End::Whole }
    }

    fn status(status: u16, body: &str) -> Self {
        Self { status, content_type: JSON, body: body.as_bytes().to_vec(), end: End::Whole }
    }
}

impl Server {
    /// Answers a request, or breaks the connection before.
    pub fn answer<B>(&mut self, request: &Request<B>) -> Result<Response<Pieces>, std::io::Error> {
        if self.is_faulty && self.draw.once_in(24) {
            self.count("no connection");
            return Err(std::io::Error::other("no connection"));
        }
        let answer = self.routed(request);
        let size = self.draw.one_of(&[usize::MAX >> 1, 4096, 7]);
        // Small pieces of large bodies take long.
        let size = if answer.body.len() > 4096 { size.max(4096) } else { size };
        let response = Response::builder().status(answer.status).header(CONTENT_TYPE, answer.content_type);
        Ok(response.body(Pieces::new(answer.body, size, answer.end)).expect("the parts are valid"))
    }

    fn routed<B>(&mut self, request: &Request<B>) -> Answer {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let Some(resource) = RESOURCES.iter().position(|resource| resource.path() == path) else {
            return self.discovery(path);
        };
        let value = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let protobuf = accept.contains("protobuf");
        let protobuf = protobuf && !self.draw.once_in(4);
        if value("watch").is_some() {
            let from = value("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
            return self.watch(resource, from, protobuf);
        }
        let token = percent_encoding::percent_decode_str(value("continue").unwrap_or_default()).decode_utf8_lossy();
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        self.list(&Asked {
            resource,
            from_cache: value("resourceVersion") == Some("0"),
            limit,
            token: &token,
            protobuf,
        })
    }

    fn count(&mut self, answer: &'static str) {
        *self.counts.answers.entry(answer).or_default() += 1;
    }

    // Lists

    fn list(&mut self, asked: &Asked<'_>) -> Answer {
        let resource = RESOURCES[asked.resource];
        if self.truths[asked.resource].definition == Definition::Gone {
            self.count("404 of a kind whose definition is gone");
            return Answer::status(404, "404 page not found");
        }
        let mut page = self.true_page(asked);
        if !self.is_faulty || !self.draw.once_in(3) {
            self.count(if page.next.is_empty() { "a list" } else { "a page" });
            return self.written(&resource, asked, &page);
        }
        match self.draw.below(14) {
            1 => self.failure(),
            2 => self.status_with_200(asked.protobuf),
            3 => {
                page.wrong.other_kind = Some(self.draw.one_of(&["Service", "", "ConfigMap"]));
                self.wrong("another kind", &resource, asked, &page)
            }
            4 => {
                let items = [Items::Missing, Items::Null, Items::Object, Items::Text, Items::Escaped];
                page.wrong.items = self.draw.one_of(&items);
                if page.wrong.items == Items::Escaped && page.items.is_empty() {
                    page.wrong.items = Items::Missing;
                }
                self.wrong("items that are no list of objects", &resource, asked, &page)
            }
            5 => {
                let items =
                    [Item::Null, Item::Text, Item::Number, Item::List, Item::Empty, Item::Unnamed, Item::OtherKind];
                page.wrong.item = self.draw.one_of(&items);
                self.wrong("an item that is no such object", &resource, asked, &page)
            }
            6 if self.may_be_unreadable(asked, &page) => {
                page.wrong.item = Item::Unreadable;
                self.wrong("only unreadable items", &resource, asked, &page)
            }
            7 if self.draw.once_in(2) => {
                page.version = 0;
                self.wrong("the version 0", &resource, asked, &page)
            }
            7 => {
                page.wrong.version_missing = true;
                self.wrong("no version", &resource, asked, &page)
            }
            8 => self.cut(&resource, asked, &page),
            9 => self.in_another_encoding(&resource, asked, &page),
            10 => self.junk(),
            11 if asked.from_cache => {
                page.items.clear();
                page.next.clear();
                self.wrong("an empty cache", &resource, asked, &page)
            }
            12 if !asked.token.is_empty() => {
                page.version += 1;
                self.wrong("a page of another version", &resource, asked, &page)
            }
            13 if !asked.token.is_empty() => {
                asked.token.clone_into(&mut page.next);
                self.wrong("the page again", &resource, asked, &page)
            }
            _ => {
                page.wrong.item = Item::Twice;
                self.wrong("every item twice", &resource, asked, &page)
            }
        }
    }

    /// What a server answers that knows no fault: a page of the state now, or of an earlier one from its cache.
    fn true_page(&mut self, asked: &Asked<'_>) -> Page {
        let truth = &self.truths[asked.resource];
        let (mut version, mut offset) = (truth.version, 0);
        if let Some((from, of)) = asked.token.split_once('-') {
            (offset, version) = (from.parse().unwrap_or_default(), of.parse().unwrap_or(version));
        } else if asked.from_cache && !self.is_cold && self.is_faulty && self.draw.once_in(6) {
            let earlier = self.draw.below(truth.earlier.len());
            version = truth.earlier.get(earlier).map_or(version, |(version, _)| *version);
        }
        let state = if version == truth.version {
            &truth.objects
        } else {
            truth.earlier.iter().find(|(earlier, _)| *earlier == version).map_or(&truth.objects, |(_, state)| state)
        };
        let mut uids: Vec<Uid> = state.iter().map(|(number, created)| (*number, *created)).collect();
        if self.lies && !self.is_cold {
            uids.pop();
        }
        let size = self.draw.one_of(&[usize::MAX, usize::MAX, 1, 3]).min(asked.limit);
        let items: Vec<_> = uids.iter().skip(offset).take(size).copied().collect();
        let end = offset + items.len();
        let next = if end < uids.len() { format!("{end}-{version}") } else { String::new() };
        Page { items, version, next, wrong: Wrong::default() }
    }

    /// Whether nobody can take it for the truth that all items of the page are unreadable.
    fn may_be_unreadable(&self, asked: &Asked<'_>, page: &Page) -> bool {
        let is_whole = page.next.is_empty() && asked.token.is_empty() && !page.items.is_empty();
        let by_owners = !RESOURCES[asked.resource].built_in;
        is_whole && (!by_owners || self.believed[asked.resource] > 1 || page.items.len() > HANDFUL)
    }

    fn wrong(&mut self, name: &'static str, resource: &Resource, asked: &Asked<'_>, page: &Page) -> Answer {
        self.count(name);
        self.written(resource, asked, page)
    }

    fn written(&self, resource: &Resource, asked: &Asked<'_>, page: &Page) -> Answer {
        if asked.protobuf {
            Answer::ok(PROTOBUF, wire::protobuf_page(resource, page))
        } else {
            Answer::ok(JSON, wire::json_page(resource, page))
        }
    }

    fn failure(&mut self) -> Answer {
        self.count("another status");
        let status = self.draw.one_of(&[500, 400, 401, 403, 404, 410, 429, 503, 504]);
        let body = self.draw.one_of(&["", "{}", "<html>", r#"{"kind":"Status","message":"no","code":500}"#]);
        Answer::status(status, body)
    }

    fn status_with_200(&mut self, protobuf: bool) -> Answer {
        self.count("a Status");
        if protobuf {
            return Answer::ok(PROTOBUF, wire::enveloped("v1", "Status", &wire::field(3, b"no")));
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "message": "no", "code": 500});
        Answer::ok(JSON, status.to_string().into_bytes())
    }

    fn cut(&mut self, resource: &Resource, asked: &Asked<'_>, page: &Page) -> Answer {
        self.count("a cut");
        let mut answer = self.written(resource, asked, page);
        let length = answer.body.len() * self.draw.below(256) / 256;
        answer.body.truncate(length);
        answer.end = if self.draw.once_in(2) { End::Broken } else { End::Whole };
        answer
    }

    fn in_another_encoding(&mut self, resource: &Resource, asked: &Asked<'_>, page: &Page) -> Answer {
        self.count("another encoding");
        let (json, protobuf) = (wire::json_page(resource, page), wire::protobuf_page(resource, page));
        match self.draw.below(3) {
            0 => Answer::ok(PROTOBUF, json),
            1 => Answer::ok(JSON, protobuf),
            _ if resource.built_in && asked.limit > 1 => Answer::ok(JSON, json),
            _ => Answer::ok(PROTOBUF, protobuf),
        }
    }

    fn junk(&mut self) -> Answer {
        self.count("junk");
        let bodies =
            ["", "null", "[]", "{}", "0", "<html></html>", "k8s\0", r#"{"items":[]}"#, r#"["v1","PodList",{},[]]"#];
        let body = self.draw.one_of(&bodies);
        Answer::ok(self.draw.one_of(&[JSON, PROTOBUF, "text/html"]), body.as_bytes().to_vec())
    }

    // Watches

    fn watch(&mut self, resource: usize, from: u64, protobuf: bool) -> Answer {
        let truth = &self.truths[resource];
        let gone = truth.definition == Definition::Gone;
        let changes: Vec<_> = truth.changes.iter().filter(|change| change.version > from).copied().collect();
        let (content_type, resource_type) = (if protobuf { PROTOBUF } else { JSON }, RESOURCES[resource]);
        let write = |event: &Event<'_>| {
            if protobuf { wire::protobuf_event(&resource_type, event) } else { wire::json_event(&resource_type, event) }
        };
        let mut body = Vec::new();
        for change in &changes {
            let uid = change.uid;
            let (r#type, version) = (change.r#type, change.version);
            body.extend(write(&Event { r#type, uid, version, readable: true, item: Item::True }));
        }
        let mut answer = Answer { end: End::Later, ..Answer::ok(content_type, body) };
        if gone {
            self.count("404 of a kind whose definition is gone");
            return Answer::status(404, "404 page not found");
        }
        if !self.is_faulty || !self.draw.once_in(3) {
            self.count("a watch");
            return answer;
        }
        let (version, uids) = (self.truths[resource].version, self.truths[resource].uids());
        let uid = uids.first().copied().unwrap_or((0, 10));
        match self.draw.below(8) {
            1 => return self.failure(),
            2 => return self.status_with_200(protobuf),
            3 => return self.junk(),
            4 => {
                self.count("a watch that ends early");
                let length = answer.body.len() * self.draw.below(256) / 256;
                answer.body.truncate(length);
                answer.end = self.draw.one_of(&[End::Whole, End::Broken, End::Later]);
            }
            5 => {
                self.count("a wrong event");
                let items =
                    [Item::Null, Item::Text, Item::Number, Item::List, Item::Empty, Item::Unnamed, Item::OtherKind];
                let item = self.draw.one_of(&items);
                let r#type = self.draw.one_of(&["DELETED", "ADDED", "MODIFIED", "BOOKMARK"]);
                answer.body.extend(write(&Event { r#type, uid, version, readable: true, item }));
            }
            6 if RESOURCES[resource].built_in || self.believed[resource] > 1 => {
                self.count("only unreadable events");
                for uid in uids {
                    let item = Item::True;
                    answer.body.extend(write(&Event { r#type: "MODIFIED", uid, version, readable: false, item }));
                }
            }
            _ => {
                self.count("a watch in another encoding");
                answer.content_type = if protobuf { JSON } else { PROTOBUF };
            }
        }
        answer
    }

    // The monitors' definition

    fn discovery(&mut self, path: &str) -> Answer {
        if self.is_faulty && self.draw.once_in(2) {
            self.count("no discovery");
            return match self.draw.below(2) {
                0 => self.failure(),
                _ => self.junk(),
            };
        }
        if path == "/apis" {
            return self.groups();
        }
        self.count("discovery");
        let verbs: &[&str] = match self.truths[0].definition {
            Definition::Present => &["create", "delete", "get", "list", "watch"],
            Definition::Going => &["delete", "get", "list", "watch"],
            Definition::Gone => return Answer::status(404, "404 page not found"),
        };
        let resource = json!({"name": "servicemonitors", "kind": "ServiceMonitor", "namespaced": true, "verbs": verbs});
        let group: Value = json!({"kind": "APIResourceList", "apiVersion": "v1",
                                  "groupVersion": "monitoring.coreos.com/v1", "resources": [resource]});
        Answer::ok(JSON, group.to_string().into_bytes())
    }

    fn groups(&mut self) -> Answer {
        self.count("the API groups");
        let group = |name: &str| {
            let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
            json!({"name": name, "versions": [version]})
        };
        let mut groups = vec![group("apps")];
        if self.truths[0].definition != Definition::Gone {
            groups.push(group("monitoring.coreos.com"));
        }
        let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
        Answer::ok(JSON, list.to_string().into_bytes())
    }
}
