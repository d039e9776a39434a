package main
import ("bufio";"math/rand/v2")
func writeRules(out *bufio.Writer, random *rand.Rand, count int) {}
func writeRegexes(out *bufio.Writer, random *rand.Rand, count int) {}
