package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// consulConfig is an SD config for the n-th Consul of this server.
func (g generator) consulConfig(address string, n int) map[string]any {
	sd := map[string]any{"server": address, "path_prefix": fmt.Sprintf("/consul/%d", n), "refresh_interval": "1h"}
	if g.chance(4) {
		sd["server"] = fmt.Sprintf("http://%s/consul/%d", address, n)
		delete(sd, "path_prefix")
	}
	maybe := func(field string, value any) {
		if g.chance(4) {
			sd[field] = value
		}
	}
	maybe("datacenter", g.one("dc1", "dc 2"))
	maybe("namespace", g.one("team", "a&b"))
	maybe("partition", "part")
	maybe("token", g.one("secret", "a b"))
	maybe("tag_separator", g.one("", ";", "--"))
	maybe("tags", [][]string{{"a"}, {"a", "b c"}, {}}[g.IntN(3)])
	maybe("services", [][]string{{"web"}, {"web", "a b", "a/b"}, {"é"}, {}}[g.IntN(4)])
	maybe("node_meta", map[string]string{"rack": g.one("1", "a:b"), "zone": "x"})
	maybe("filter", `ServiceName != "gone"`)
	maybe("health_filter", `Checks.Status == "passing"`)
	maybe("allow_stale", g.chance(2))
	if g.chance(6) {
		sd["username"], sd["password"] = "u", "p"
	}
	if g.chance(20) {
		sd[g.one("basic_auth", "authorization")] = map[string]any{}
	}
	return sd
}

// consul answers for the n-th Consul of this server, the same for the same seed and request.
func consul(seed uint64, w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(r.URL.Path, "/v1/")
	hash := fnv.New64()
	fmt.Fprint(hash, r.URL.Path)
	g := generator{rand.New(rand.NewPCG(seed, hash.Sum64()))}
	reply := reply{status: 200, contentType: "application/json"}
	switch name, isHealth := strings.CutPrefix(path, "health/service/"); {
	case path == "agent/self":
		reply.body = g.agent()
	case path == "catalog/services":
		reply.body = g.catalog()
	case isHealth:
		reply.body = g.health(name, said(r))
	default:
		reply.status = 404
	}
	if g.chance(25) {
		reply.status = []int{201, 204, 400, 403, 500}[g.IntN(5)]
	}
	if g.chance(25) {
		reply.body = g.one("", "null", "[", "{}", "[]", "7", reply.body+" trailing", reply.body+"\n", " "+reply.body)
	}
	// Without an index, Prometheus takes an answer for one that did not change.
	w.Header().Set("X-Consul-Index", "7")
	reply.write(w)
}

// said is what a request says, so that a difference between two requests is a difference between two answers.
func said(r *http.Request) map[string]string {
	query := r.URL.Query()
	query.Del("wait")
	for _, values := range query {
		slices.Sort(values)
	}
	return map[string]string{
		"query": query.Encode(), "path": r.URL.EscapedPath(), "token": r.Header.Get("X-Consul-Token"),
		"authorization": r.Header.Get("Authorization"),
	}
}

func (g generator) agent() string {
	if g.chance(12) {
		return g.one(`{}`, `{"Config": null}`, `{"Config": {"Datacenter": 7}}`, `{"Config": {"Datacenter": ""}}`, `{"Config": []}`)
	}
	return `{"Config": {"Datacenter": "dc1", "Server": true}, "Stats": null, "Member": {"Port": 8301}}`
}

func (g generator) catalog() string {
	services := map[string]any{}
	for range g.IntN(5) {
		tags := [][]string{nil, {}, {"a"}, {"a", "b c"}, {"b c", "c", "a"}}[g.IntN(5)]
		services[g.one("web", "a b", "a/b", "é", "consul", "100%", "a?b", "a+b;c")] = tags
	}
	text, _ := json.Marshal(services)
	return string(text)
}

func (g generator) health(name string, said map[string]string) string {
	instances := []any{}
	for i := range g.IntN(4) {
		instances = append(instances, g.serviceInstance(name, i, said))
	}
	text, _ := json.Marshal(instances)
	return string(text)
}

func (g generator) serviceInstance(name string, i int, said map[string]string) map[string]any {
	meta := map[string]any{"rack-id": "1", "é.b": "", "null": nil}
	for key, value := range said {
		meta[key] = value
	}
	node := map[string]any{
		"ID": "n", "Node": fmt.Sprint("node-", i), "Address": g.one("10.0.0.1", "fd00::1", "node.example", ""), "Meta": meta,
		"TaggedAddresses": g.value(map[string]string{"lan": "10.0.0.1", "wan-ipv4": "1.2.3.4"}, nil),
	}
	service := map[string]any{
		"ID": fmt.Sprint(name, "-", i), "Service": name, "Port": g.IntN(3) * 8080, "Address": g.one("", "", "10.1.0.1", "fd00::2", "web.example"),
		"Tags": g.value([]any{"a", "b c", nil}, []string{}, nil), "Meta": g.value(map[string]string{"team/x": "a"}, nil),
		"Weights": map[string]int{"Passing": 1},
	}
	if g.chance(4) {
		service["Namespace"], service["Partition"] = "team", "part"
	}
	if g.chance(40) {
		service[g.one("Port", "Tags", "Meta")] = g.value("x", 1.5, []int{1})
	}
	if g.chance(10) {
		delete(service, g.one("Port", "Tags", "Address"))
	}
	return map[string]any{"Node": node, "Service": service, "Checks": g.checks()}
}

func (g generator) value(of ...any) any { return of[g.IntN(len(of))] }

func (g generator) checks() any {
	if g.chance(8) {
		return nil
	}
	checks := []any{}
	for i := range g.IntN(4) {
		checks = append(checks, map[string]any{
			"CheckID": g.one("serfHealth", "service:"+strconv.Itoa(i), "_node_maintenance", "_service_maintenance:web"),
			"Status":  g.one("passing", "passing", "passing", "warning", "critical", "odd"),
		})
	}
	return checks
}
