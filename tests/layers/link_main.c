/* link_main.c — the whole of a layer, linked with only what it may see: a call from a lower layer
 * into a higher one is an undefined symbol here, while a normal link would find it. There is
 * nothing to run. */
int main(void)
{
	return 0;
}
