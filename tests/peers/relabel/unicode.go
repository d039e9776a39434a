package main

import (
	"bufio"
	"fmt"
	"maps"
	"regexp/syntax"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// writeUnicode prints the tables that Go's regexp/syntax, regexp and strings
// read, as one line a table. Ranges are hexadecimal, first-last.
func writeUnicode(out *bufio.Writer) {
	fmt.Fprintf(out, "# Unicode %s as %s has it; made by `go run . unicode` in tests/peers/relabel\n",
		unicode.Version, strings.Join(strings.Split(runtime.Version(), ".")[:2], "."))
	names := map[string]string{}
	for _, name := range []string{"Any", "Assigned", "ASCII", "LC"} {
		names[canonical(name)] = name
	}
	for name := range unicode.Categories {
		names[canonical(name)] = name
	}
	for name := range unicode.Scripts {
		names[canonical(name)] = name
	}
	for name := range unicode.CategoryAliases {
		names[canonical(name)] = name
	}
	known := map[string]string{}
	var classes []string
	for _, name := range slices.SortedFunc(maps.Keys(names), shortFirst) {
		// Some names of Go's own tables are refused by its parser: ask the parser.
		re, err := syntax.Parse(`\p{`+names[name]+`}`, syntax.Perl)
		if err != nil {
			continue
		}
		ranges := rangesOf(re)
		if same, ok := known[ranges]; ok {
			fmt.Fprintf(out, "alias %s %s\n", name, same)
			continue
		}
		known[ranges] = name
		classes = append(classes, name)
		fmt.Fprintf(out, "class %s%s\n", name, ranges)
	}
	writeFolded(out, classes)
	fmt.Fprint(out, "fold")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		orbit := []rune{r}
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			orbit = append(orbit, f)
		}
		if len(orbit) > 1 && slices.Min(orbit) == r {
			slices.Sort(orbit)
			fmt.Fprintf(out, " %x", orbit[0])
			for _, r := range orbit[1:] {
				fmt.Fprintf(out, "=%x", r)
			}
		}
	}
	fmt.Fprintln(out)
	writeMapping(out, "lower", unicode.ToLower)
	writeMapping(out, "upper", unicode.ToUpper)
}

func shortFirst(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// writeMapping prints runs of characters that are mapped by adding the same number.
func writeMapping(out *bufio.Writer, name string, mapped func(rune) rune) {
	fmt.Fprint(out, name)
	for first := rune(0); first <= unicode.MaxRune; first++ {
		delta := mapped(first) - first
		if delta == 0 {
			continue
		}
		last := first
		for last < unicode.MaxRune && mapped(last+1)-last-1 == delta {
			last++
		}
		fmt.Fprintf(out, " %x-%x:%d", first, last, delta)
		first = last
	}
	fmt.Fprintln(out)
}

func rangesOf(re *syntax.Regexp) string {
	var text strings.Builder
	switch re.Op {
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			fmt.Fprintf(&text, " %x-%x", re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			panic("a class that is a folded letter")
		}
		fmt.Fprintf(&text, " %x-%x", re.Rune[0], re.Rune[0])
	case syntax.OpAnyChar:
		fmt.Fprintf(&text, " 0-%x", unicode.MaxRune)
	default:
		panic(re.Op.String())
	}
	return text.String()
}

// writeFolded prints the classes that are under (?i) something else than the
// class with all that its characters fold to, which is how the core makes it.
func writeFolded(out *bufio.Writer, classes []string) {
	for _, name := range classes {
		plain, err := syntax.Parse(`[\p{`+name+`}]`, syntax.Perl)
		if err != nil {
			panic(err)
		}
		folded, err := syntax.Parse(`(?i)[\p{`+name+`}]`, syntax.Perl)
		if err != nil {
			panic(err)
		}
		inPlain, inFolded := membersOf(plain), membersOf(folded)
		closed := maps.Clone(inPlain)
		for r := range inPlain {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				closed[f] = true
			}
		}
		if !maps.Equal(closed, inFolded) {
			fmt.Fprintf(out, "folded %s%s\n", name, rangesOf(folded))
		}
	}
}

func membersOf(re *syntax.Regexp) map[rune]bool {
	members := map[rune]bool{}
	for _, bounds := range strings.Fields(rangesOf(re)) {
		var first, last rune
		fmt.Sscanf(bounds, "%x-%x", &first, &last)
		for r := first; r <= last; r++ {
			members[r] = true
		}
	}
	return members
}

// canonical is the form in which a name is looked up: no separators, the first
// letter upper and the others lower case.
func canonical(name string) string {
	name = strings.NewReplacer("_", "", "-", "", " ", "").Replace(name)
	return strings.ToUpper(name[:1]) + strings.ToLower(name[1:])
}
