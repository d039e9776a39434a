// Package definitions reads the definitions of the monitors.
package definitions

import (
	"fmt"
	"path/filepath"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"target-allocator.test/peers/internal/objects"
)

// Definition is a kind of monitor with the schema of its spec.
type Definition struct {
	APIVersion, Kind string
	Spec             *apiextensions.JSONSchemaProps
}

// Read reads the definition of a kind from the folder of CRDs.
func Read(folder, plural string) (*Definition, error) {
	found, err := objects.Read(filepath.Join(folder, "monitoring.coreos.com_"+plural+".yaml"))
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("definitions of %s in %s: %d", plural, folder, len(found))
	}
	var crd apiextensions.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[0].Object, &crd); err != nil {
		return nil, fmt.Errorf("definition of %s: %w", plural, err)
	}
	version := crd.Spec.Versions[0]
	spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
	return &Definition{crd.Spec.Group + "/" + version.Name, crd.Spec.Names.Kind, &spec}, nil
}

// IsKeySelector tells a reference to a key of a Secret or ConfigMap.
func IsKeySelector(schema *apiextensions.JSONSchemaProps) bool {
	_, key := schema.Properties["key"]
	_, name := schema.Properties["name"]
	_, optional := schema.Properties["optional"]
	return key && name && optional
}
