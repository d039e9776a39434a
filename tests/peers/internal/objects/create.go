package objects

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// firstKinds are created before all others, in this order: what others stand in.
var firstKinds = []string{"CustomResourceDefinition", "Namespace", "Node"}

// Creator creates objects in an API server.
type Creator struct {
	client dynamic.Interface
	mapper meta.ResettableRESTMapper
}

// NewCreator returns a Creator for the API server of a client configuration.
func NewCreator(config *rest.Config) (*Creator, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	resources, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(resources))
	return &Creator{client, mapper}, nil
}

// Create creates the objects with their status. An object that is there
// already is replaced. One that has a deletion timestamp is deleted after it
// was made; the API server keeps such a pod as a terminating one, as no kubelet
// confirms its end.
//
// Create goes on after an object that the API server refuses, and returns what
// it was refused for.
func (c *Creator) Create(ctx context.Context, all []*unstructured.Unstructured) []error {
	rank := func(object *unstructured.Unstructured) int {
		if i := slices.Index(firstKinds, object.GetKind()); i >= 0 {
			return i
		}
		return len(firstKinds)
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })

	var refused []error
	for _, object := range sorted {
		if err := c.create(ctx, object); err != nil {
			refused = append(refused, fmt.Errorf("%s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err))
		}
	}
	return refused
}

func (c *Creator) create(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := c.resource(object)
	if err != nil {
		return err
	}
	wanted := object.DeepCopy()
	wanted.SetResourceVersion("")

	made, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
	switch {
	case errors.IsNotFound(err):
		made, err = resource.Create(ctx, wanted, metav1.CreateOptions{})
	case err == nil:
		wanted.SetUID(made.GetUID())
		wanted.SetResourceVersion(made.GetResourceVersion())
		made, err = resource.Update(ctx, wanted, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}

	if object.GetKind() == "CustomResourceDefinition" {
		return c.waitUntilServed(ctx, object)
	}
	if status, ok := object.Object["status"]; ok {
		made.Object["status"] = status
		_, err := resource.UpdateStatus(ctx, made, metav1.UpdateOptions{})
		// Not every kind has a status of its own to update.
		if err != nil && !errors.IsNotFound(err) {
			return fmt.Errorf("setting the status: %w", err)
		}
	}
	if object.GetDeletionTimestamp() != nil {
		return resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{})
	}
	return nil
}

// resource returns the client for the object's kind and namespace.
func (c *Creator) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	resource := c.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return resource, nil
	}
	namespace := object.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return resource.Namespace(namespace), nil
}

// waitUntilServed waits until the API server serves the kind of a new custom
// resource definition.
func (c *Creator) waitUntilServed(ctx context.Context, crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		c.mapper.Reset()
		_, err := c.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind})
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
}
