// Package objects reads, writes and creates Kubernetes objects of any kind.
package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Read returns the objects of a file, or of every .json, .yaml and .yml file of
// a folder and the folders in it, in the order of their names.
func Read(path string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		manifest := slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(file))
		if entry.IsDir() || !manifest {
			return nil
		}
		found, err := readFile(file)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		all = append(all, found...)
		return nil
	})
	return all, err
}

func readFile(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse returns the objects of a YAML or JSON text. Lists are taken apart.
func Parse(text []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch {
		case object.Object == nil: // nothing between two separators
		case object.IsList():
			err := object.EachListItem(func(item runtime.Object) error {
				all = append(all, item.(*unstructured.Unstructured))
				return nil
			})
			if err != nil {
				return nil, err
			}
		default:
			all = append(all, object)
		}
	}
}

// WriteList writes the objects as a JSON List with one object a line, so that
// a diff of two lists names the objects that differ.
func WriteList(path string, all []*unstructured.Unstructured) error {
	var text bytes.Buffer
	text.WriteString(`{"apiVersion":"v1","kind":"List","items":[`)
	for i, object := range all {
		line, err := json.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte('\n')
		text.Write(line)
	}
	text.WriteString("\n]}\n")
	return os.WriteFile(path, text.Bytes(), 0o644)
}
