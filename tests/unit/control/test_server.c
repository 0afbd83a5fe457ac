#include "control_test.h"
#include "base/log.h"
#include "core/control/control.h"
#include "core/control/protocol.h"
#include "core/control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64], path[96];
static bool stopped, stopped_at_once;

static void on_stop(void *token, bool at_once)
{
	(void)token;
	stopped = true;
	stopped_at_once = at_once;
}

static const struct ast_sip_control_config config = {.socket_path = path, .stop = on_stop};

static void ignore_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token, (void)level, (void)line;
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/res_sip-control-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/res_sip.ctl", dir);
	stopped = false;
	rs_log_set_sink(ignore_line, NULL);
	return 0;
}

static int remove_folder(void **state)
{
	char lock[96];

	(void)state;
	snprintf(lock, sizeof(lock), "%s/res_sip.lock", dir);
	unlink(lock);
	unlink(path);
	rs_log_set_sink(NULL, NULL);
	return rmdir(dir);
}

static int server_up(void **state)
{
	return make_folder(state) || ast_sip_control_start(&config);
}

static int server_down(void **state)
{
	ast_sip_control_stop();
	assert_int_equal(access(path, F_OK), -1); /* the socket goes with it */
	return remove_folder(state);
}

static int client(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One line of the server's; NULL when it closed. */
static json_t *hear(int fd)
{
	char *line = malloc(1 << 20);
	size_t n = 0;
	json_t *reply = NULL;

	while (n < 1 << 20) {
		ssize_t got = read(fd, line + n, 1);

		if (got <= 0)
			break;
		if (line[n] == '\n') {
			reply = json_loadb(line, n, 0, NULL);
			break;
		}
		n++;
	}
	free(line);
	return reply;
}

static int exit_of(json_t *reply)
{
	int status = reply ? (int)json_integer_value(json_object_get(reply, "exit")) : -1;

	json_decref(reply);
	return status;
}

static void several_clients_are_served_at_once(void **state)
{
	int a = client(), b = client();

	(void)state;
	say(a, "{\"argv\":[\"core\",\"show\"");
	say(b, "{\"argv\":[\"core\",\"show\",\"version\"]}\n");
	assert_int_equal(exit_of(hear(b)), 0);
	say(a, ",\"version\"],\"json\":true}\n{\"argv\":[\"core\",\"show\",\"version\"]}\n");
	assert_int_equal(exit_of(hear(a)), 0);
	assert_int_equal(exit_of(hear(a)), 0); /* the second line that came with the first */
	close(a);
	close(b);
}

static void nonsense_gets_an_answer(void **state)
{
	static const char *const lines[] = {
		"hello\n", "{}\n", "[1]\n", "{\"argv\":[1]}\n", "{\"argv\":\"core\"}\n", "{\"argv\":[]}\n", "\n"};
	int fd = client();

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(lines); i++) {
		say(fd, lines[i]);
		assert_int_equal(exit_of(hear(fd)), 1);
	}
	close(fd);
}

static void too_many_words_are_refused(void **state)
{
	char line[CONTROL_MAX_ARGS * 4 + 64];
	size_t n = (size_t)snprintf(line, sizeof(line), "{\"argv\":[\"help\"");
	int fd = client();

	(void)state;
	for (int i = 0; i < CONTROL_MAX_ARGS; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ",\"\"");
	snprintf(line + n, sizeof(line) - n, "]}\n");
	say(fd, line);
	assert_int_equal(exit_of(hear(fd)), 1);
	close(fd);
}

static void a_line_at_the_limit_passes_and_one_past_it_closes(void **state)
{
	static const char head[] = "{\"argv\":[\"core\",\"show\",\"version\"],\"x\":\"", tail[] = "\"}\n";
	char *line = malloc(CONTROL_MAX_LINE + 16);
	int fd = client();

	(void)state;
	memset(line, 'a', CONTROL_MAX_LINE + 16);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + CONTROL_MAX_LINE - sizeof(tail) + 1, tail, sizeof(tail));
	say(fd, line);
	assert_int_equal(exit_of(hear(fd)), 0);
	memset(line, 'a', CONTROL_MAX_LINE);
	line[CONTROL_MAX_LINE] = '\0';
	say(fd, line);
	assert_null(hear(fd));
	close(fd);
	free(line);
}

static void words_are_completed(void **state)
{
	int fd = client();
	json_t *reply, *words;

	(void)state;
	say(fd, "{\"argv\":[\"core\",\"show\"],\"complete\":\"ta\"}\n");
	reply = hear(fd);
	words = json_object_get(reply, "words");
	assert_int_equal(json_array_size(words), 1);
	assert_string_equal(json_string_value(json_array_get(words, 0)), "taskpool");
	json_decref(reply);
	close(fd);
}

static void a_stop_is_answered_and_passed_on(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"argv\":[\"core\",\"stop\",\"later\"]}\n");
	assert_int_equal(exit_of(hear(fd)), 1);
	assert_false(stopped);
	say(fd, "{\"argv\":[\"core\",\"stop\",\"now\"]}\n");
	assert_int_equal(exit_of(hear(fd)), 0);
	assert_true(stopped && stopped_at_once);
	close(fd);
}

static void only_the_owner_may_connect(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_server_is_refused(void **state)
{
	(void)state;
	assert_int_equal(control_socket_open(path), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(client()); /* the first one goes on */
}

/* ---- without a server ---- */

static void a_dead_servers_socket_is_replaced(void **state)
{
	int fd;

	(void)state;
	close(control_socket_open(path));
	assert_int_equal(access(path, F_OK), 0);
	fd = control_socket_open(path);
	assert_true(fd >= 0);
	close(fd);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	close(fd);
	assert_int_equal(control_socket_open(path), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_path_too_long_is_refused(void **state)
{
	char longer[200];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(control_socket_open(longer), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static void one_server_a_state_folder(void **state)
{
	int owner, first = ast_sip_control_lock(dir, &owner), second;

	(void)state;
	assert_true(first >= 0);
	second = ast_sip_control_lock(dir, &owner);
	assert_int_equal(second, -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(owner, getpid());
	close(first);
	second = ast_sip_control_lock(dir, &owner);
	assert_true(second >= 0);
	close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(several_clients_are_served_at_once, server_up, server_down),
		cmocka_unit_test_setup_teardown(nonsense_gets_an_answer, server_up, server_down),
		cmocka_unit_test_setup_teardown(too_many_words_are_refused, server_up, server_down),
		cmocka_unit_test_setup_teardown(a_line_at_the_limit_passes_and_one_past_it_closes, server_up,
						server_down),
		cmocka_unit_test_setup_teardown(words_are_completed, server_up, server_down),
		cmocka_unit_test_setup_teardown(a_stop_is_answered_and_passed_on, server_up, server_down),
		cmocka_unit_test_setup_teardown(only_the_owner_may_connect, server_up, server_down),
		cmocka_unit_test_setup_teardown(a_second_server_is_refused, server_up, server_down),
		cmocka_unit_test_setup_teardown(a_dead_servers_socket_is_replaced, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_path_too_long_is_refused, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(one_server_a_state_folder, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
