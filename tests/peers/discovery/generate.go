package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator makes clusters of every shape that discovery has to tell apart.
type generator struct{ *rand.Rand }

func generate(args []string, out *json.Encoder) error {
	usage := errors.New("usage: discovery [generate SEED COUNT]")
	if len(args) != 3 || args[0] != "generate" {
		return usage
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return usage
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return usage
	}
	for i := range count {
		g := generator{rand.New(rand.NewPCG(seed, uint64(i)))}
		if err := out.Encode(g.world()); err != nil {
			return err
		}
	}
	return nil
}

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

// chance is true in one of n cases.
func (g generator) chance(n int) bool { return g.IntN(n) == 0 }

// maybe sets a field in one of two cases.
func (g generator) maybe(o object, name string, value any) {
	if g.chance(2) {
		o[name] = value
	}
}

func (g generator) world() any {
	var items []object
	for _, name := range namespaces {
		if !g.chance(5) {
			items = append(items, object{"kind": "Namespace", "metadata": g.metadata("", name)})
		}
	}
	for i := range g.IntN(5) {
		items = append(items, g.node(i))
	}
	var pods []object
	for _, namespace := range namespaces {
		for i := range g.IntN(6) {
			pods = append(pods, g.pod(namespace, i))
		}
		for i := range g.IntN(4) {
			items = append(items, g.owner("ReplicaSet", namespace, i), g.owner("Job", namespace, i))
		}
	}
	items = append(items, pods...)
	for _, namespace := range namespaces {
		for i := range g.IntN(4) {
			items = append(items, g.service(namespace, fmt.Sprint("svc-", i)))
		}
		for i := range g.IntN(4) {
			items = append(items, g.slice(namespace, i, pods))
		}
		for i := range g.IntN(4) {
			items = append(items, g.endpoints(namespace, i, pods))
		}
		for i := range g.IntN(3) {
			items = append(items, g.ingress(namespace, i))
		}
	}
	g.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	var configs []object
	for _, role := range []string{"endpointslice", "endpoints", "pod", "service", "node", "ingress"} {
		configs = append(configs, object{"role": role}, g.config(role), g.config(role))
	}
	return object{"cluster": object{"apiVersion": "v1", "kind": "List", "items": items}, "configs": configs}
}

var (
	namespaces = []string{"shop", "team-a", "team-b"}
	// No two of them become the same label name: which one counts then is not defined.
	keys   = []string{"app", "app.kubernetes.io/name", "tier", "Weird-Key.x/y_Z", "0digit", "present_x", "role", "n"}
	values = []string{"", "web", "api", "true", "10", "3"}
	notes  = []string{"", "plain", "quo\"te\\ ünï 💥 \n <&>", "{\"json\": [1, 2]}"}
)

func (g generator) some(from []string) map[string]any {
	if g.chance(6) {
		return nil
	}
	held := map[string]any{}
	for _, key := range keys {
		if g.chance(3) {
			held[key] = g.one(from...)
		}
	}
	return held
}

func (g generator) metadata(namespace, name string) map[string]any {
	metadata := object{"name": name, "resourceVersion": "1", "labels": g.some(values), "annotations": g.some(notes)}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	g.maybe(metadata, "uid", fmt.Sprintf("uid-%d", g.IntN(1e6)))
	if g.chance(8) {
		metadata["deletionTimestamp"] = "2026-01-02T03:04:05Z"
	}
	return metadata
}

func (g generator) owners(kinds ...string) []any {
	var owners []any
	for range g.IntN(3) {
		owner := object{"apiVersion": "x/v1", "kind": g.one(kinds...), "name": fmt.Sprint("owner-", g.IntN(4)), "uid": "u"}
		g.maybe(owner, "controller", g.chance(2))
		owners = append(owners, owner)
	}
	return owners
}

func (g generator) owner(kind, namespace string, i int) object {
	metadata := g.metadata(namespace, fmt.Sprint("owner-", i))
	metadata["ownerReferences"] = g.owners("Deployment", "CronJob", "Other")
	return object{"kind": kind, "metadata": metadata}
}

func (g generator) address() string {
	if g.chance(4) {
		return fmt.Sprintf("fd00::%x", g.IntN(1<<16))
	}
	return fmt.Sprintf("10.%d.%d.%d", g.IntN(256), g.IntN(256), g.IntN(256))
}

func (g generator) node(i int) object {
	var addresses, conditions []any
	for range g.IntN(6) {
		kind := g.one("InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname", "Other.Kind")
		addresses = append(addresses, object{"type": kind, "address": g.address()})
	}
	for range g.IntN(5) {
		kind := g.one("Ready", "DiskPressure", "Custom-Kind/x", "ÜberReady")
		conditions = append(conditions, object{"type": kind, "status": g.one("True", "False", "Unknown")})
	}
	spec := object{}
	g.maybe(spec, "providerID", "aws:///zone/i-0")
	g.maybe(spec, "unschedulable", g.chance(2))
	status := object{"addresses": addresses, "conditions": conditions}
	g.maybe(status, "daemonEndpoints", object{"kubeletEndpoint": object{"Port": 10250}})
	return object{"kind": "Node", "metadata": g.metadata("", fmt.Sprint("node-", i)), "spec": spec, "status": status}
}

func (g generator) nodeName() string { return fmt.Sprint("node-", g.IntN(6)) }

var ports = []int{80, 443, 8080, 9090, 9100}

func (g generator) port() int { return ports[g.IntN(len(ports))] }

func (g generator) container(i int, init bool) object {
	var declared []any
	for range g.IntN(4) {
		port := object{"containerPort": g.port(), "protocol": g.one("TCP", "UDP", "SCTP")}
		g.maybe(port, "name", g.one("web", "metrics", "a"))
		declared = append(declared, port)
	}
	container := object{"name": fmt.Sprint("c-", i), "ports": declared}
	g.maybe(container, "image", "registry.test/image:1")
	if init {
		g.maybe(container, "restartPolicy", "Always")
	}
	return container
}

func (g generator) pod(namespace string, i int) object {
	var containers, init, statuses, initStatuses []any
	for c := range g.IntN(3) + 1 {
		containers = append(containers, g.container(c, false))
		if g.chance(2) {
			statuses = append(statuses, object{"name": fmt.Sprint("c-", c), "containerID": fmt.Sprint("containerd://", i, c)})
		}
	}
	for c := range g.IntN(3) {
		init = append(init, g.container(c, true))
		if g.chance(2) {
			initStatuses = append(initStatuses, object{"name": fmt.Sprint("c-", c), "containerID": fmt.Sprint("containerd://init-", i, c)})
		}
	}
	spec := object{"containers": containers, "initContainers": init}
	g.maybe(spec, "nodeName", g.nodeName())
	g.maybe(spec, "hostNetwork", g.chance(2))
	g.maybe(spec, "restartPolicy", g.one("Always", "Never"))
	g.maybe(spec, "serviceAccountName", g.one("default", "sa"))
	status := object{"containerStatuses": statuses, "initContainerStatuses": initStatuses}
	g.maybe(status, "hostIP", g.address())
	if !g.chance(5) {
		status["podIP"] = g.address()
		status["podIPs"] = []any{object{"ip": status["podIP"]}, object{"ip": g.address()}}
	}
	g.maybe(status, "phase", g.one("Pending", "Running", "Succeeded", "Failed", "Unknown"))
	var conditions []any
	for range g.IntN(3) {
		conditions = append(conditions, object{"type": g.one("Ready", "PodScheduled"), "status": g.one("True", "False", "Unknown")})
	}
	status["conditions"] = conditions
	metadata := g.metadata(namespace, fmt.Sprint("pod-", i))
	metadata["ownerReferences"] = g.owners("ReplicaSet", "Job", "StatefulSet", "")
	return object{"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
}

func (g generator) service(namespace, name string) object {
	var declared []any
	for range g.IntN(4) {
		port := object{"port": g.port(), "protocol": g.one("TCP", "UDP")}
		g.maybe(port, "name", g.one("web", "metrics"))
		declared = append(declared, port)
	}
	spec := object{"ports": declared, "type": g.one("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")}
	g.maybe(spec, "clusterIP", g.one("None", "10.96.0.1"))
	g.maybe(spec, "externalName", "elsewhere.test")
	g.maybe(spec, "loadBalancerIP", "192.0.2.1")
	g.maybe(spec, "ipFamilyPolicy", g.one("SingleStack", "PreferDualStack", "RequireDualStack"))
	g.maybe(spec, "ipFamilies", []any{g.one("IPv4", "IPv6"), "IPv6"})
	var balancers []any
	for range g.IntN(3) {
		balancer := object{}
		g.maybe(balancer, "ip", g.address())
		g.maybe(balancer, "hostname", "lb.test")
		balancers = append(balancers, balancer)
	}
	status := object{"loadBalancer": object{"ingress": balancers}}
	return object{"kind": "Service", "metadata": g.metadata(namespace, name), "spec": spec, "status": status}
}

// reference points at a pod, mostly one that there is, or at something else.
func (g generator) reference(namespace string, pods []object) any {
	switch {
	case g.chance(5):
		return nil
	case g.chance(6):
		return object{"kind": "Node", "name": g.nodeName()}
	case g.chance(6):
		return object{"kind": "Pod", "namespace": g.one("", namespace), "name": "gone"}
	}
	var near []object
	for _, pod := range pods {
		if pod.namespace() == namespace || g.chance(8) {
			near = append(near, pod)
		}
	}
	if len(near) == 0 {
		return object{"kind": "Other", "name": "x"}
	}
	pod := near[g.IntN(len(near))]
	return object{"kind": "Pod", "namespace": pod.namespace(), "name": pod.name()}
}

func (g generator) slice(namespace string, i int, pods []object) object {
	metadata := g.metadata(namespace, fmt.Sprint("slice-", i))
	if !g.chance(5) {
		held, _ := metadata["labels"].(map[string]any)
		if held == nil {
			held = map[string]any{}
		}
		held["kubernetes.io/service-name"] = g.one("svc-0", "svc-1", "svc-2", "gone")
		metadata["labels"] = held
	}
	var endpoints, declared []any
	for range g.IntN(5) {
		conditions := object{}
		g.maybe(conditions, "ready", g.chance(2))
		g.maybe(conditions, "serving", g.chance(2))
		g.maybe(conditions, "terminating", g.chance(2))
		addresses := []any{}
		for range g.IntN(3) {
			addresses = append(addresses, g.address())
		}
		endpoint := object{"addresses": addresses, "targetRef": g.reference(namespace, pods)}
		g.maybe(endpoint, "conditions", conditions)
		g.maybe(endpoint, "hostname", g.one("", "pod-0"))
		g.maybe(endpoint, "nodeName", g.nodeName())
		g.maybe(endpoint, "zone", g.one("", "zone-a"))
		if g.chance(4) {
			endpoint["deprecatedTopology"] = object{"topology.kubernetes.io/zone": "zone-b", "empty": ""}
		}
		endpoints = append(endpoints, endpoint)
	}
	for range g.IntN(4) {
		port := object{}
		g.maybe(port, "port", g.port())
		g.maybe(port, "name", g.one("", "web", "metrics"))
		g.maybe(port, "protocol", g.one("TCP", "UDP"))
		g.maybe(port, "appProtocol", g.one("http", "kubernetes.io/h2c"))
		declared = append(declared, port)
	}
	return object{
		"kind": "EndpointSlice", "metadata": metadata, "addressType": g.one("IPv4", "IPv4", "IPv6", "FQDN"),
		"endpoints": endpoints, "ports": declared,
	}
}

func (g generator) endpoints(namespace string, i int, pods []object) object {
	addresses := func() []any {
		var addresses []any
		for range g.IntN(4) {
			address := object{"ip": g.address(), "targetRef": g.reference(namespace, pods)}
			g.maybe(address, "hostname", g.one("", "pod-0"))
			g.maybe(address, "nodeName", g.nodeName())
			addresses = append(addresses, address)
		}
		return addresses
	}
	var subsets []any
	for range g.IntN(3) {
		var declared []any
		for range g.IntN(3) {
			port := object{"port": g.port(), "protocol": g.one("TCP", "UDP")}
			g.maybe(port, "name", g.one("web", "metrics"))
			declared = append(declared, port)
		}
		subsets = append(subsets, object{"addresses": addresses(), "notReadyAddresses": addresses(), "ports": declared})
	}
	return object{"kind": "Endpoints", "metadata": g.metadata(namespace, fmt.Sprint("svc-", i)), "subsets": subsets}
}

func (g generator) ingress(namespace string, i int) object {
	host := func() string { return g.one("", "shop.test", "a.shop.test", "*.shop.test", "*", "b.a.shop.test") }
	var rules, tls []any
	for range g.IntN(4) {
		rule := object{}
		g.maybe(rule, "host", host())
		if !g.chance(3) {
			var paths []any
			for range g.IntN(3) {
				paths = append(paths, object{"path": g.one("", "/", "/api"), "pathType": "Prefix", "backend": object{}})
			}
			rule["http"] = object{"paths": paths}
		}
		rules = append(rules, rule)
	}
	for range g.IntN(3) {
		tls = append(tls, object{"hosts": []any{host(), host()}})
	}
	spec := object{"rules": rules, "tls": tls}
	g.maybe(spec, "ingressClassName", g.one("", "nginx"))
	return object{"kind": "Ingress", "metadata": g.metadata(namespace, fmt.Sprint("ingress-", i)), "spec": spec}
}

// selectable are the roles whose objects a role can select.
var selectable = map[string][]string{
	"endpointslice": {"pod", "service", "endpointslice"},
	"endpoints":     {"pod", "service", "endpoints"},
	"pod":           {"pod", "node"},
	"service":       {"service"},
	"node":          {"node"},
	"ingress":       {"ingress"},
}

func (g generator) config(role string) object {
	config := object{"role": role}
	if g.chance(2) {
		names := []any{}
		for range g.IntN(3) {
			names = append(names, g.one("shop", "team-a", "team-b", "gone"))
		}
		config["namespaces"] = object{"names": names}
	}
	if !g.chance(3) {
		var selectors []any
		for _, selected := range selectable[role] {
			if g.chance(2) {
				selectors = append(selectors, object{"role": selected, "label": g.labelSelector(), "field": g.fieldSelector(selected)})
			}
		}
		config["selectors"] = selectors
	}
	if !g.chance(3) {
		attach := object{}
		for _, what := range []string{"node", "namespace", "deployment", "job", "cronjob"} {
			g.maybe(attach, what, true)
		}
		config["attach_metadata"] = attach
	}
	return config
}

func (g generator) labelSelector() string {
	var terms []string
	for range g.IntN(3) {
		key := g.one(keys...)
		terms = append(terms, g.one(
			key, "!"+key, key+"="+g.one(values...), key+" != "+g.one(values...), key+"=="+g.one(values...),
			key+" in ("+g.one(values...)+", "+g.one(values...)+")", key+" notin ("+g.one(values...)+")",
			key+">5", key+"<5",
		))
	}
	if g.chance(40) {
		terms = append(terms, g.one("a b", "a in", "-", "a=ü", "a=b=c"))
	}
	return strings.Join(terms, ",")
}

func (g generator) fieldSelector(role string) string {
	if g.chance(2) {
		return ""
	}
	if g.chance(40) {
		return g.one("spec.unknown=x", "a", `metadata.name=\x`)
	}
	operator := g.one("=", "==", "!=")
	switch role {
	case "pod":
		return g.one(
			"metadata.name"+operator+"pod-1", "metadata.namespace"+operator+"shop", "spec.nodeName"+operator+g.nodeName(),
			"spec.hostNetwork"+operator+"true", "status.phase"+operator+"Running", "spec.restartPolicy"+operator+"Never",
			"spec.serviceAccountName"+operator+"sa", "status.phase!=Running,status.phase!=Failed", "status.podIP"+operator,
		)
	case "service":
		return g.one("metadata.name"+operator+"svc-0", "spec.type"+operator+"ClusterIP", "spec.clusterIP"+operator+"None")
	case "node":
		return g.one("metadata.name"+operator+"node-1", "spec.unschedulable"+operator+"true")
	}
	return g.one("metadata.name"+operator+"svc-0", "metadata.namespace"+operator+"team-a")
}
