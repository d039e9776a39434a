// Command relabel generates the cases for the relabelling of the core: random rules
// and regular expressions, with the answers of Prometheus' own model/relabel. Each
// case is one line of JSON. It also prints the Unicode tables of Go.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
)

func main() {
	seed := flag.Uint64("seed", 1, "the same seed makes the same cases")
	count := flag.Int("count", 10_000, "how many cases to make")
	flag.Parse()

	random := rand.New(rand.NewPCG(*seed, 0))
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()

	switch flag.Arg(0) {
	case "unicode":
		writeUnicode(out)
	case "rules":
		writeRules(out, random, *count)
	case "regexes":
		writeRegexes(out, random, *count)
	default:
		fmt.Fprintln(os.Stderr, "usage: relabel [-seed N] [-count N] unicode|rules|regexes")
		os.Exit(2)
	}
}
