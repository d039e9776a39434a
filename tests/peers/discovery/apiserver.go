package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/prometheus/discovery/kubernetes"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// object is one of the cluster's objects, as JSON.
type object map[string]any

// at follows a path of fields; it is nil where there is none.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, name := range path {
		inner, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = inner[name]
	}
	return value
}

func (o object) text(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

func (o object) name() string      { return o.text("metadata", "name") }
func (o object) namespace() string { return o.text("metadata", "namespace") }

func (o object) labels() labels.Set {
	set := labels.Set{}
	held, _ := o.at("metadata", "labels").(map[string]any)
	for key, value := range held {
		set[key], _ = value.(string)
	}
	return set
}

// resource is a kind as the API names it.
type resource struct{ kind, apiVersion, role string }

var resources = map[string]resource{
	"pods":           {"Pod", "v1", "pod"},
	"services":       {"Service", "v1", "service"},
	"endpoints":      {"Endpoints", "v1", "endpoints"},
	"endpointslices": {"EndpointSlice", "discovery.k8s.io/v1", "endpointslice"},
	"ingresses":      {"Ingress", "networking.k8s.io/v1", "ingress"},
	"nodes":          {"Node", "v1", "node"},
	"namespaces":     {"Namespace", "v1", ""},
	"replicasets":    {"ReplicaSet", "apps/v1", ""},
	"jobs":           {"Job", "batch/v1", ""},
}

// fieldsOf gives what an API server lets objects be selected by, and the fields' values.
func fieldsOf(plural string, o object) fields.Set {
	set := fields.Set{"metadata.name": o.name()}
	if plural != "nodes" && plural != "namespaces" {
		set["metadata.namespace"] = o.namespace()
	}
	truth := func(value any) string { return fmt.Sprint(value == true) }
	switch plural {
	case "pods":
		for _, field := range []string{"nodeName", "restartPolicy", "schedulerName", "serviceAccountName"} {
			set["spec."+field] = o.text("spec", field)
		}
		set["spec.hostNetwork"] = truth(o.at("spec", "hostNetwork"))
		set["status.phase"] = o.text("status", "phase")
		set["status.podIP"] = o.text("status", "podIP")
		set["status.nominatedNodeName"] = o.text("status", "nominatedNodeName")
	case "services":
		set["spec.clusterIP"] = o.text("spec", "clusterIP")
		set["spec.type"] = o.text("spec", "type")
	case "nodes":
		set["spec.unschedulable"] = truth(o.at("spec", "unschedulable"))
	}
	return set
}

// server is an API server whose objects never change.
type server struct {
	http    *httptest.Server
	url     string
	objects map[string][]object
}

func newServer(items []object) *server {
	s := &server{objects: map[string][]object{}}
	for plural, resource := range resources {
		for _, item := range items {
			if item.text("kind") == resource.kind {
				s.objects[plural] = append(s.objects[plural], item)
			}
		}
	}
	s.http = httptest.NewServer(s)
	s.url = s.http.URL
	return s
}

func (s *server) close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

func (s *server) list(plural, namespace, label, field string) ([]object, error) {
	byLabel, err := labels.Parse(label)
	if err != nil {
		return nil, err
	}
	byField, err := fields.ParseSelector(field)
	if err != nil {
		return nil, err
	}
	known := fieldsOf(plural, object{})
	for _, requirement := range byField.Requirements() {
		if _, ok := known[requirement.Field]; !ok {
			return nil, fmt.Errorf("field label not supported: %s", requirement.Field)
		}
	}
	listed := []object{}
	for _, o := range s.objects[plural] {
		here := namespace == "" || o.namespace() == namespace
		if here && byLabel.Matches(o.labels()) && byField.Matches(fieldsOf(plural, o)) {
			listed = append(listed, o)
		}
	}
	return listed, nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	plural, namespace := parts[len(parts)-1], ""
	if len(parts) > 3 && parts[len(parts)-3] == "namespaces" {
		namespace = parts[len(parts)-2]
	}
	query := r.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	if query.Get("watch") != "" {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	listed, err := s.list(plural, namespace, query.Get("labelSelector"), query.Get("fieldSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if plural == "endpointslices" || plural == "endpoints" {
		// Prometheus does not wait for replica sets and jobs in these roles: let them win the race.
		time.Sleep(100 * time.Millisecond)
	}
	resource := resources[plural]
	json.NewEncoder(w).Encode(map[string]any{
		"kind":       resource.kind + "List",
		"apiVersion": resource.apiVersion,
		"metadata":   map[string]any{"resourceVersion": "1"},
		"items":      listed,
	})
}

// sources are those that a discovery must tell of, with or without targets.
func (s *server) sources(config *kubernetes.SDConfig) (map[string]bool, error) {
	role := string(config.Role)
	namespaces := config.NamespaceDiscovery.Names
	if len(namespaces) == 0 || role == "node" {
		namespaces = []string{""}
	}
	sources := map[string]bool{}
	for plural, resource := range resources {
		if resource.role == "" {
			continue
		}
		var label, field string
		for _, selector := range config.Selectors {
			if string(selector.Role) == resource.role {
				label, field = selector.Label, selector.Field
			}
		}
		for _, namespace := range namespaces {
			listed, err := s.list(plural, namespace, label, field)
			if err != nil {
				return nil, err
			}
			for _, o := range listed {
				if resource.role == role && !(role == "node" && !hasAddress(o)) {
					sources[source(role, o)] = true
				}
			}
		}
	}
	return sources, nil
}

func source(role string, o object) string {
	switch role {
	case "node":
		return "node/" + o.name()
	case "service":
		role = "svc"
	}
	return role + "/" + o.namespace() + "/" + o.name()
}

// hasAddress tells whether Prometheus says anything of a node.
func hasAddress(node object) bool {
	addresses, _ := node.at("status", "addresses").([]any)
	for _, address := range addresses {
		switch object(address.(map[string]any)).text("type") {
		case "InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname":
			return true
		}
	}
	return false
}
