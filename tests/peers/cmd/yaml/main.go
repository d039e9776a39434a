// Command yaml records what kubectl makes of YAML texts: the JSON of each text
// in texts.txt, by sigs.k8s.io/yaml, which kubectl reads manifests with.
//
//	go run ./cmd/yaml > ../golden/kubectl-yaml.json
//
// A text without "json" is refused. Of a text with several documents the library
// reads the first one: kubectl cuts the others off before it calls the library.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"sigs.k8s.io/yaml"
)

// texts holds one text after another, with a line of ==== between two.
//
//go:embed texts.txt
var texts string

// reading is a text and what became of it.
type reading struct {
	Text  string          `json:"text"`
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	var lines []string
	for _, text := range strings.Split(strings.TrimSuffix(texts, "\n"), "\n====\n") {
		one := reading{Text: text}
		read, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			one.Error = err.Error()
		} else {
			one.JSON = read
		}
		line, err := json.Marshal(one)
		if err != nil {
			log.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	fmt.Printf("[\n%s\n]\n", strings.Join(lines, ",\n"))
}
