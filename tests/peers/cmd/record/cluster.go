package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// read are the kinds that an allocator may read, in the order of cluster.json.
var read = []schema.GroupVersionResource{
	{Version: "v1", Resource: "namespaces"},
	{Version: "v1", Resource: "nodes"},
	{Version: "v1", Resource: "pods"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "endpoints"},
	{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Version: "v1", Resource: "secrets"},
	{Version: "v1", Resource: "configmaps"},
	{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"},
	{Group: "monitoring.coreos.com", Version: "v1", Resource: "podmonitors"},
	{Group: "monitoring.coreos.com", Version: "v1", Resource: "probes"},
	{Group: "monitoring.coreos.com", Version: "v1alpha1", Resource: "scrapeconfigs"},
}

// readCluster returns all objects that an allocator may read, without what
// differs from one cluster to the next of the same manifests.
func readCluster(ctx context.Context, config *rest.Config) ([]*unstructured.Unstructured, uidNames, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	var all []*unstructured.Unstructured
	uids := uidNames{}
	for _, resource := range read {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", resource.Resource, err)
		}
		// The API server lists in the order of namespaces and names.
		for i := range list.Items {
			object := &list.Items[i]
			if resource.Resource == "configmaps" && strings.HasPrefix(object.GetNamespace(), "kube-") {
				continue // the API server's own bookkeeping
			}
			made := object.GetUID()
			uids[made] = stableUID(object)
			normalize(object, uids[made])
			all = append(all, object)
		}
	}
	return all, uids, nil
}

// normalize takes out what the API server made up.
func normalize(object *unstructured.Unstructured, uid types.UID) {
	object.SetUID(uid)
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	if object.GetDeletionTimestamp() != nil {
		deleted := metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		object.SetDeletionTimestamp(&deleted)
	}
	if object.GetKind() == "Service" && object.GetNamespace() == metav1.NamespaceDefault && object.GetName() == "kubernetes" {
		// The API server's own service leads to the port that it happens to
		// listen on, which nothing reads.
		ports, _, _ := unstructured.NestedSlice(object.Object, "spec", "ports")
		for _, port := range ports {
			port.(map[string]any)["targetPort"] = int64(443)
		}
		_ = unstructured.SetNestedSlice(object.Object, ports, "spec", "ports")
	}
}

// uidNames maps the UIDs that the API server made up to those that are recorded.
type uidNames map[types.UID]types.UID

// stableUID returns a UID that only depends on which object it is of.
func stableUID(object *unstructured.Unstructured) types.UID {
	sum := sha256.Sum256([]byte(object.GetKind() + "/" + object.GetNamespace() + "/" + object.GetName()))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// replaceIn returns labels in which every value that is a UID is the recorded one.
func (u uidNames) replaceIn(found discovered) discovered {
	replaced := maps.Clone(found)
	for name, value := range found {
		if uid, ok := u[types.UID(value)]; ok {
			replaced[name] = string(uid)
		}
	}
	return replaced
}

// collector is a pod that takes a share of the targets.
type collector struct {
	name, node string
}

// String is the collector's name in the hash ring.
func (c collector) String() string { return c.name }

// readCollectors returns the pods that the settings select, are scheduled, and
// have not been unready for longer than the settings allow.
func readCollectors(ctx context.Context, config *rest.Config, settings *settings) ([]collector, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(settings.CollectorSelector)
	if err != nil {
		return nil, err
	}
	pods, err := client.CoreV1().Pods(settings.CollectorNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	var collectors []collector
	grace := time.Duration(settings.CollectorNotReadyGracePeriod.Duration)
	for _, pod := range pods.Items {
		if pod.Spec.NodeName != "" && (grace == 0 || !unreadyFor(&pod, grace)) {
			collectors = append(collectors, collector{pod.Name, pod.Spec.NodeName})
		}
	}
	return collectors, nil
}

func unreadyFor(pod *corev1.Pod, grace time.Duration) bool {
	if pod.Status.Phase != corev1.PodRunning && pod.Status.StartTime != nil && time.Since(pod.Status.StartTime.Time) > grace {
		return true
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status != corev1.ConditionTrue && time.Since(condition.LastTransitionTime.Time) > grace {
			return true
		}
	}
	return false
}
