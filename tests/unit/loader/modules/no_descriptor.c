/* A shared object that is no module. */
int test_no_descriptor(void);
int test_no_descriptor(void)
{
	return 0;
}
