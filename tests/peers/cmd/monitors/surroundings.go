package main

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"target-allocator.test/peers/internal/certificate"
)

// surroundings makes the namespaces, and in those of the monitors the Secret
// and the ConfigMap that they refer to.
func surroundings() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, namespace := range append([]string{"monitoring"}, namespaces...) {
		all = append(all, newObject("Namespace", "", namespace, nil))
	}
	for _, namespace := range namespaces {
		cert, key, err := certificate.Make(namespace)
		if err != nil {
			return nil, err
		}
		cert2, key2, err := certificate.Make(namespace + " 2")
		if err != nil {
			return nil, err
		}
		all = append(all,
			newObject("Secret", namespace, "credentials", object{"stringData": object{
				"user": "user of " + namespace, "password": "p&ss <word>: \"1\"", "token": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
				"ca": cert, "cert": cert, "key": key, "ca-2": cert + cert2, "cert-2": "before\n" + cert2, "key-2": key2 + "\nafter",
				"not-pem": "no certificate", "empty": "", "newline": "a\nb\n", "yes": "yes", "number": "0x10", "spaces": " x ",
				"tab": "\ta", "colon": "a: b", "hash": "#a", "unicode": "é😀", "crlf": "a\r\nb", "quotes": "\"'", "dash": "- a",
				"null": "null", "lead": "\n x",
			}}),
			newObject("ConfigMap", namespace, "public", object{"data": object{
				"user": "public user", "ca": cert, "cert": cert, "key": key, "not-pem": "no certificate", "empty": "",
			}}),
		)
	}
	return all, nil
}

func newObject(kind, namespace, name string, fields object) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: object{}}
	for field, value := range fields {
		made.Object[field] = value
	}
	made.SetAPIVersion("v1")
	made.SetKind(kind)
	made.SetNamespace(namespace)
	made.SetName(name)
	return made
}
